"""Train a detector on a pretrained encoder, without a config of your own.

    python -m bootmae_mm detect ANIMALS --from RUN
    python -m bootmae_mm detect ANIMALS --from RUN --hours 2 --out runs/detector

ANIMALS has pictures and annotations in COCO's form: a file each for training and validation, or
one, of which a fifth is held out. With masks it is Mask R-CNN, without Faster R-CNN. Looks at them
and at the machine, writes a config with a reason for every number, has the doctor check it, says
what will happen, and trains. The same command goes on where it stopped.
"""

import sys
from functools import partial

from bootmae_mm import command_line
from bootmae_mm.commands.arguments import labelled_parser


def main(argv: list[str] | None = None) -> None:
    """Prepare the run, and train; the exit status is the run's."""
    parser = labelled_parser(__doc__, 'animals', 'a folder of pictures and annotations')
    args = vars(parser.parse_args(argv))
    # Late, since this takes seconds to import: a wrong option is told at once.
    from bootmae_mm.commands.labelled.detection import detect

    with command_line.user_errors():
        sys.exit(detect(**args, say=partial(print, flush=True)).status)


if __name__ == '__main__':
    main()
