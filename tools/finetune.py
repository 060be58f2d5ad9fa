"""Fine-tune a pretrained encoder to tell your classes, without a config of your own.

    python -m bootmae_mm finetune CLASSES --from RUN
    python -m bootmae_mm finetune CLASSES --from RUN --hours 2 --out runs/classifier

CLASSES has train/<class> and val/<class>, or <class>, of which a fifth is held out. Looks at the
pictures and the machine, writes a config with a reason for every number, has the doctor check it,
says what will happen, and trains. The same command goes on where it stopped.
"""

import sys
from functools import partial

from bootmae_mm import command_line
from bootmae_mm.commands.arguments import labelled_parser


def main(argv: list[str] | None = None) -> None:
    """Prepare the run, and train; the exit status is the run's."""
    args = vars(labelled_parser(__doc__, 'classes', 'a folder for each class').parse_args(argv))
    # Late, since this takes seconds to import: a wrong option is told at once.
    from bootmae_mm.commands.labelled.fine_tuning import finetune

    with command_line.user_errors():
        sys.exit(finetune(**args, say=partial(print, flush=True)).status)


if __name__ == '__main__':
    main()
