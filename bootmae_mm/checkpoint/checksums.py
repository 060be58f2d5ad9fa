"""The check sums in PyTorch's files, which PyTorch writes and does not look at."""

import zipfile
from pathlib import Path

START_OF_ZIP = b'PK\x03\x04'


def check_sums(path: str | Path) -> bool:
    """Compare a PyTorch file with the check sums in it (CRC-32, one for every tensor).

    ``torch.load`` does not: it takes a weight that has changed on a disk for what it now is.

    Returns:
        Whether there are any. There are none in the format before PyTorch 1.6, and in files written
        after ``torch.serialization.set_crc32_options(False)``.

    Raises:
        ValueError: If a part is not as it was written, or compressed, which PyTorch does not do.
        Exception: Almost any other, where the directory of the file is damaged.
    """
    with open(path, 'rb') as file:
        if file.read(len(START_OF_ZIP)) != START_OF_ZIP:
            return False
    with zipfile.ZipFile(path) as file:
        if any(part.compress_type != zipfile.ZIP_STORED for part in file.infolist()):
            raise ValueError('it is compressed, which PyTorch does not do')
        if not any(part.CRC for part in file.infolist()):
            return False
        if name := file.testzip():
            raise ValueError(f'the check sum of {name} is wrong')
    return True
