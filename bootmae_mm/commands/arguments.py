"""What the command lines of these commands have in common; light, so that errors come at once."""

import argparse
import re


def pixels(text: str) -> tuple[int, int]:
    """224 or 160x320 (height x width), as a type of argparse."""
    if not re.fullmatch(r'\d+(x\d+)?', text):
        raise argparse.ArgumentTypeError(
            f'expected a number of pixels, or HEIGHTxWIDTH, found {text!r}'
        )
    numbers = [int(part) for part in text.split('x')]
    return numbers[0], numbers[-1]


def above_zero(kind: type) -> object:
    """A number above 0, as a type of argparse."""

    def number(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if value <= 0:
            raise argparse.ArgumentTypeError(f'expected a number above 0, found {text!r}')
        return value

    return number


def training_parser(description: str, data: str, meaning: str) -> argparse.ArgumentParser:
    """A parser with the folder, ``--out``, ``--epochs`` or ``--hours`` and ``--dry-run``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(data, help=meaning)
    parser.add_argument('--out', metavar='RUN', help='the folder of the run')
    length = parser.add_mutually_exclusive_group()
    length.add_argument('--epochs', type=above_zero(int), help='passes over the pictures')
    length.add_argument('--hours', type=above_zero(float), help='as many as there is time for')
    parser.add_argument('--dry-run', action='store_true', help='write and check, do not train')
    return parser


def labelled_parser(description: str, data: str, meaning: str) -> argparse.ArgumentParser:
    """That of a command which starts from a pretrained encoder."""
    parser = training_parser(description, data, meaning)
    parser.add_argument(
        '--from', dest='start', metavar='RUN', required=True, help='a run, or its checkpoint'
    )
    parser.add_argument(
        '--scratch', action='store_true', help='its form alone, with random weights, to compare'
    )
    return parser
