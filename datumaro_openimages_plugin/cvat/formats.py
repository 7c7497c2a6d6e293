"""The format ``Open Images V7 1.0``: export and import as CVAT's registry calls them."""

from __future__ import annotations

import logging
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from datumaro_openimages_plugin.cvat import server

__all__ = ["DISPLAY_NAME", "NAME", "VERSION", "export_dataset", "import_dataset", "register"]

log = logging.getLogger(__name__)

NAME = "Open Images V7"
VERSION = "1.0"
DISPLAY_NAME = f"{NAME} {VERSION}"

#: What becomes of labels that say that a class is absent; see `landing.NEGATIVES`.
NEGATIVES_VARIABLE = "DATUMARO_OPENIMAGES_NEGATIVES"


def register() -> None:
    """Puts the format into CVAT's registry, and our classes into its environment; once."""
    from datumaro_openimages_plugin import loader

    loader.register()
    registry = server.registry()
    # The registry made its environment when it was imported, which may have been before.
    loader.register_in(registry.dm_env)
    if DISPLAY_NAME not in registry.EXPORT_FORMATS:
        registry.exporter(name=NAME, version=VERSION, ext="ZIP")(export_dataset)
    if DISPLAY_NAME not in registry.IMPORT_FORMATS:
        registry.importer(name=NAME, version=VERSION, ext="ZIP")(import_dataset)


# Export


def export_dataset(
    dst_file: Any, temp_dir: str, instance_data: Any, save_images: bool = False, **_: Any
) -> None:
    """Exports a task, job or project.

    Args:
        dst_file: The zip to write, a path or a file open for writing.
        temp_dir: An empty folder.
        instance_data: CVAT's data of what is exported.
        save_images: Whether the frames' pictures are exported too.

    Raises:
        AnnotationError: Something cannot be written.
    """
    from datumaro_openimages_plugin.cvat.exporting import TaskItems
    from datumaro_openimages_plugin.plugin import OpenImagesExporter

    folder = os.path.join(temp_dir, "dataset")
    with server.extractor_of(instance_data, save_images) as extractor:
        extractor = server.with_ellipses_as_masks(extractor)
        items = TaskItems(extractor, server.label_specs_of(instance_data))
        OpenImagesExporter(
            items,
            folder,
            save_media=save_images,
            save_image_meta=True,
            zip=True,
        ).apply()
        items.report()
    packed = os.path.join(folder, "dataset.zip")
    if isinstance(dst_file, (str, os.PathLike)):
        shutil.move(packed, dst_file)
        return
    with open(packed, "rb") as file:
        shutil.copyfileobj(file, dst_file)


# Import


def import_dataset(
    src_file: Any,
    temp_dir: str,
    instance_data: Any,
    load_data_callback: Callable[[Any, Any], None] | None = None,
    conv_mask_to_poly: bool = True,
    **_: Any,
) -> None:
    """Imports a zip into a task, a job or a project.

    Args:
        src_file: The zip, an open file or a path.
        temp_dir: An empty folder.
        instance_data: CVAT's data of where it goes.
        load_data_callback: Makes tasks of the dataset's images; given for projects.
        conv_mask_to_poly: Whether masks become polygons.

    Raises:
        OpenImagesError: The zip cannot be read, or does not fit; nothing was imported.
    """
    from datumaro_openimages_plugin.cvat.values import HandedOver

    path = os.fspath(getattr(src_file, "name", src_file))
    if load_data_callback is not None:
        path = _unpacked(path, os.path.join(temp_dir, "dataset"))
    dataset = _landed(path, instance_data, has_frames=load_data_callback is None)
    if conv_mask_to_poly:
        dataset.transform("masks_to_polygons")
    dataset.transform(HandedOver)
    if load_data_callback is not None:
        load_data_callback(dataset, instance_data)
    server.import_annotations(dataset, instance_data)


def _landed(path: str, instance_data: Any, has_frames: bool) -> Any:
    """The dataset as it fits what it is imported into."""
    from datumaro_openimages_plugin.cvat.landing import NEGATIVES, Landing, TaskSpec
    from datumaro_openimages_plugin.cvat.misfits import Misfits
    from datumaro_openimages_plugin.errors import FormatError

    labels = server.label_specs_of(instance_data)
    frames = server.frames_of(instance_data) if has_frames else None
    negatives = os.environ.get(NEGATIVES_VARIABLE, NEGATIVES[0])
    if negatives not in NEGATIVES:
        message = f"{NEGATIVES_VARIABLE} must be one of {', '.join(NEGATIVES)}"
        raise FormatError(message, value=negatives)
    task = TaskSpec(
        labels,
        frames,
        makes_labels=not has_frames and not labels,
        makes_attributes=server.creates_attributes(instance_data),
        never_made=server.never_created(),
        negatives=negatives,
        misfits=Misfits(frames or (), labels),
    )
    sizes = None if frames is None else {name: frame.size for name, frame in frames.items()}
    dataset = _read(path, sizes)
    dataset.transform(Landing, task=task)
    dataset.init_cache()
    task.misfits.raise_any()
    for what, count in sorted(task.misfits.left_out.items()):
        if count:
            log.warning("%s left out %d %s", DISPLAY_NAME, count, what)
    return dataset


def _read(path: str, image_meta: Any) -> Any:
    from datumaro.components.dataset import Dataset

    from datumaro_openimages_plugin.cvat.labels import ROWS
    from datumaro_openimages_plugin.errors import FormatError, OpenImagesError
    from datumaro_openimages_plugin.plugin import OpenImagesImporter

    if not OpenImagesImporter.find_sources(path):
        raise FormatError(
            "nothing in the zip has a name of Open Images; it needs annotations/ with files such "
            "as <subset>-annotations-bbox.csv"
        )
    _report_other_kinds(path)
    try:
        return Dataset.import_from(
            path,
            "open_images",
            env=server.registry().dm_env,
            image_meta=image_meta,
            keep_attributes=True,
            kinds=ROWS,
        )
    except Exception as error:
        # Datumaro 1.x says only that the import failed and has our text as the cause.
        if isinstance(error.__cause__, OpenImagesError):
            raise error.__cause__ from None
        raise


def _report_other_kinds(path: str) -> None:
    from datumaro_openimages_plugin.cvat.labels import ROWS
    from datumaro_openimages_plugin.files.files import DatasetFiles
    from datumaro_openimages_plugin.kinds import KINDS
    from datumaro_openimages_plugin.sources.archive import open_source

    files = DatasetFiles(open_source(path))
    others = [kind for kind in KINDS if kind.name not in ROWS and files.all(kind.name)]
    if others:
        titles = ", ".join(kind.title for kind in others)
        log.warning("%s does not import %s; their files are passed by", DISPLAY_NAME, titles)


def _unpacked(path: str, folder: str) -> str:
    """Unpacks a zip, without its top folder, and gives the folder that it is in."""
    from datumaro_openimages_plugin.errors import FormatError
    from datumaro_openimages_plugin.sources.archive import ZipArchive

    archive = ZipArchive(path)
    for name in archive.walk(lambda _: True):
        target = os.path.join(folder, *name.split("/"))
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with archive.open(name) as member, open(target, "xb") as file:
                shutil.copyfileobj(member, file)
        except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, NotImplementedError) as bad:
            raise FormatError(f"cannot be unpacked: {bad}; pack the zip anew", file=name) from None
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            message = "is there twice, as two files or as file and folder; pack the zip anew"
            raise FormatError(message, file=name) from None
    return folder
