"""The photographs of the smaller budgets, which a user has: three folders in the usual layouts."""

from pathlib import Path

from .runs import FULL, Run

PLACE = Path('data/photos')  # where configs/photos look for them
FOLDERS = dict(seg='ade', det='coco')  # of a kind of run; the others take IMAGES
IMAGES = 'imagenet'


def link(folder: Path) -> None:
    """Make a folder of photographs known under the name that the configs have.

    Args:
        folder: Has ``imagenet/{train,val}/<class>/``, and for Table 7 ``ade/`` in ADE20K's and
            ``coco/`` in COCO's layout.

    Raises:
        ValueError: If it has no pictures, or the name is taken by another folder.
    """
    if not (folder / IMAGES / 'train').is_dir():
        raise ValueError(
            f'Expected pictures in {folder / IMAGES / "train"}, found no such folder; give --data '
            f'a folder with {IMAGES}/train and {IMAGES}/val, a folder per class in both.'
        )
    target = folder.resolve()  # of the link itself, where that is what was given
    if PLACE.is_symlink():
        PLACE.unlink()
    if PLACE.exists():
        if PLACE.samefile(target):
            return
        raise ValueError(
            f'Expected to link {folder} as {PLACE}, found another folder there; remove it, or '
            'leave --data out.'
        )
    PLACE.parent.mkdir(exist_ok=True)
    PLACE.symlink_to(target, target_is_directory=True)


def num_classes() -> int:
    """How many classes the photographs are of."""
    return sum(folder.is_dir() for folder in (PLACE / IMAGES / 'train').iterdir())


def require_photographs(run: Run) -> None:
    """Raise ``ValueError`` if a run on photographs lacks its folder."""
    folder = PLACE / FOLDERS.get(run.kind, IMAGES)
    if run.budget != FULL and not folder.is_dir():
        raise ValueError(
            f'Expected the photographs of {run.name} in {folder}, found no such folder; see '
            'docs/reduced_study.md.'
        )
