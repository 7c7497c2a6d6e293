"""Running exports and imports as CVAT's server does, against the stand-in."""

from __future__ import annotations

import zipfile

from datumaro.components.errors import DatasetError, DatasetImportError

STOCK = "Open Images V6 1.0"
OURS = "Open Images V7 1.0"


def run_export(cvat, task, tmp_path, name=STOCK, **options):
    folder = tmp_path / "export"
    folder.mkdir()
    target = tmp_path / "out.zip"
    cvat.registry.make_exporter(name)(str(target), str(folder), task, **options)
    return target


def run_import(cvat, task, archive, tmp_path, name=STOCK, **options):
    folder = tmp_path / f"import{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    options.setdefault("conv_mask_to_poly", False)
    with open(archive, "rb") as file:
        cvat.registry.make_importer(name)(file, str(folder), task, **options)
    return task


def packed(files: dict[str, str], path, top=""):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(top + name, text)
    return path


def answer(cvat, task, archive, tmp_path, **options):
    """(status, message) of an import, as CVAT's server gives them."""
    try:
        run_import(cvat, task, archive, tmp_path, OURS, **options)
    except (DatasetError, DatasetImportError, cvat.bindings.CvatImportError) as error:
        return 400, str(error)
    except Exception as error:
        return 500, repr(error)
    return 200, ""
