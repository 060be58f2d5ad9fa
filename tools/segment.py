"""Train UperNet on a pretrained encoder to label every pixel, without a config of your own.

    python -m bootmae_mm segment SCENES --from RUN
    python -m bootmae_mm segment SCENES --from RUN --hours 2 --no-label 0

SCENES has pictures and label maps of the same names in two folders: images/{training,validation}
and annotations/{training,validation}, or images and masks, of which a fifth is held out; names of
the classes in classes.txt. Looks at them and at the machine, writes a config with a reason for
every number, has the doctor check it, says what will happen, and trains. The same command goes on.
"""

import sys
from functools import partial

from bootmae_mm import command_line
from bootmae_mm.commands.arguments import labelled_parser


def main(argv: list[str] | None = None) -> None:
    """Prepare the run, and train; the exit status is the run's."""
    parser = labelled_parser(__doc__, 'scenes', 'a folder of pictures and label maps')
    parser.add_argument(
        '--no-label', type=int, choices=(0, 255), help='whether 0 is no label, or 255 alone'
    )
    args = vars(parser.parse_args(argv))
    # Late, since this takes seconds to import: a wrong option is told at once.
    from bootmae_mm.commands.labelled.segmentation import segment

    with command_line.user_errors():
        sys.exit(segment(**args, say=partial(print, flush=True)).status)


if __name__ == '__main__':
    main()
