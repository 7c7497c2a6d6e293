"""Stand-in of CVAT's helper that packs an export."""

import os
import zipfile


def make_zip_archive(src_path, dst_path):
    with zipfile.ZipFile(dst_path, "w") as archive:
        for folder, _, names in os.walk(src_path):
            for name in names:
                path = os.path.join(folder, name)
                archive.write(path, os.path.relpath(path, src_path))
