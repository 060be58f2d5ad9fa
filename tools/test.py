"""Test a checkpoint: classifiers, segmentors and detectors.

python tools/test.py CONFIG CHECKPOINT [--tta] [--out FILE] [--show-dir FOLDER]
tools/dist_test.sh CONFIG CHECKPOINT 8
"""

import argparse

from bootmae_mm import command_line


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    command_line.add_config_arguments(parser)
    parser.add_argument(
        'checkpoint', type=command_line.existing_file, help='what a run of the config wrote'
    )
    command_line.add_run_arguments(parser)
    parser.add_argument(
        '--tta', action='store_true', help="test-time augmentation, as the config's tta_… say"
    )
    parser.add_argument(
        '--out', help='keep the predictions: a .pkl file; for segmentation a folder'
    )
    parser.add_argument('--show-dir', metavar='FOLDER', help='paint the predictions into images')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Test."""
    args = parse_args(argv)
    # Late, since these take seconds to import: a wrong option is told at once.
    from bootmae_mm import evaluation
    from bootmae_mm.engine.distributed import report_failures

    with report_failures(), command_line.user_errors(args.launcher):
        cfg = command_line.load_config(args)
        if args.tta:
            evaluation.use_test_time_augmentation(cfg)
        if args.out:
            evaluation.keep_predictions(cfg, args.out)
        if args.show_dir:
            evaluation.paint_predictions(cfg, args.show_dir)
        evaluation.test(cfg, args.checkpoint)


if __name__ == '__main__':
    main()
