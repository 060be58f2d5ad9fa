"""Classify by nearest neighbours on the features of a frozen encoder; nothing is trained.

python tools/knn.py configs/linear/bootmae_vitb_linear_90e.py \\
    work_dirs/bootmae_vitb_800e/epoch_800.pth [--k 10 20] [--block 10]

One process on one GPU (or the CPU): training and validation images go once through the encoder.
"""

import argparse
import time

from bootmae_mm import command_line


class Clock:
    """Says every few seconds how far it is and how long it will take."""

    def __init__(self) -> None:
        self.split, self.begin, self.said = '', 0.0, 0.0

    def __call__(self, split: str, done: int, total: int) -> None:
        """Told after every batch."""
        now = time.time()
        if split != self.split:  # the first batch also started the workers
            self.split, self.begin, self.said, self.first = split, now, 0.0, done
        if now - self.said >= 5 or done == total:
            rate = (now - self.begin) / max(done - self.first, 1)
            left = f', about {rate * (total - done):.0f} s left' if done > self.first else ''
            print(f'{split}: {done} of {total} batches{left}', flush=True)
            self.said = now


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    command_line.add_config_arguments(parser)
    parser.add_argument(
        'checkpoint', type=command_line.existing_file, help='of pretraining or of a classifier'
    )
    parser.add_argument(
        '--k', type=int, nargs='+', default=[20], help='numbers of neighbours; default 20'
    )
    parser.add_argument('--block', type=int, help='features of this block, from 1; default last')
    args = parser.parse_args(argv)
    if min(args.k) < 1:
        parser.error(f'expected numbers of neighbours from 1 up, found {min(args.k)}')
    # Late, since these take seconds to import: a wrong option is told at once.
    from bootmae_mm.transfer.knn import evaluate_knn

    with command_line.user_errors():
        cfg = command_line.load_config(args)
        scores = evaluate_knn(cfg, args.checkpoint, args.k, args.block, Clock())
    for k, top1 in scores.items():
        print(f'{k} nearest neighbours: {top1:.2f} % top-1')


if __name__ == '__main__':
    main()
