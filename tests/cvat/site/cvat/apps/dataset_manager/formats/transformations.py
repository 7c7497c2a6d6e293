"""Stand-in of CVAT's own transforms around the stock format."""

import math

import cv2
import numpy as np
from datumaro.components.annotation import AnnotationType, Mask, Polygon

from datumaro_openimages_plugin._host import ItemTransform, annotation_type


class RotatedBoxesToPolygons(ItemTransform):
    def transform_item(self, item):
        kept, turned = [], []
        for annotation in item.annotations:
            # Every rectangle carries `rotation`.
            is_box = annotation.type is AnnotationType.bbox
            if is_box and annotation.attributes["rotation"]:
                turned.append(self._polygon(annotation))
            else:
                kept.append(annotation)
        return item.wrap(annotations=kept + turned)

    @staticmethod
    def _polygon(box):
        x1, y1, x2, y2 = box.points
        angle = math.radians(box.attributes["rotation"])
        cx, cy = (x1 + x2) / 2, (y1 + y2) / 2
        points = []
        for x, y in ((x1, y1), (x2, y1), (x2, y2), (x1, y2)):
            points.append(cx + math.cos(angle) * (x - cx) - math.sin(angle) * (y - cy))
            points.append(cy + math.sin(angle) * (x - cx) + math.cos(angle) * (y - cy))
        return Polygon(
            points,
            label=box.label,
            attributes=box.attributes,
            group=box.group,
            z_order=box.z_order,
        )


class EllipsesToMasks(ItemTransform):
    """As newer releases have it."""

    def transform_item(self, item):
        made = [
            self._mask(annotation, item.media.size)
            if annotation.type is annotation_type("ellipse")
            else annotation
            for annotation in item.annotations
        ]
        return item.wrap(annotations=made)

    @staticmethod
    def _mask(ellipse, size):
        x1, y1, x2, y2 = ellipse.points
        pixels = np.zeros(size, np.uint8)
        centre, axes = (round((x1 + x2) / 2), round((y1 + y2) / 2)), (
            round((x2 - x1) / 2), round((y2 - y1) / 2))  # fmt: skip
        rotation = ellipse.attributes["rotation"]
        cv2.ellipse(pixels, centre, axes, rotation, 0, 360, 255, thickness=-1)
        return Mask(
            pixels > 0,
            label=ellipse.label,
            attributes=ellipse.attributes,
            group=ellipse.group,
            z_order=ellipse.z_order,
        )


class MaskToPolygonTransformation:
    @classmethod
    def convert_dataset(cls, dataset, **kwargs):
        if kwargs.get("conv_mask_to_poly", True):
            dataset.transform("masks_to_polygons")
        return dataset
