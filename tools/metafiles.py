"""Write configs/*/metafile.yml and model-index.yml, or see whether they are up to date.

python tools/metafiles.py [--check]        builds every model: a minute or two
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--check', action='store_true', help='write nothing')
    args = parser.parse_args(argv)
    # Late, since these take seconds to import: a wrong option is told at once.
    import bootmae_mm.registration  # noqa: F401
    from bootmae_mm.studies.reproduction import metafiles

    texts = {ROOT / 'model-index.yml': metafiles.model_index()}
    for done, folder in enumerate(metafiles.FOLDERS):
        print(f'[{done + 1}/{len(metafiles.FOLDERS)}] configs/{folder}', flush=True)
        texts[ROOT / 'configs' / folder / 'metafile.yml'] = metafiles.metafile(ROOT, folder)
    old = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    names = ', '.join(path.relative_to(ROOT).as_posix() for path in old)
    if args.check and old:
        sys.exit(
            f'Expected metafiles that follow from the configs, found others in {names}; run '
            'python tools/metafiles.py.'
        )
    for path in old:
        path.write_text(texts[path])
    print(f'Written: {names}.' if old else 'All metafiles are up to date.')


if __name__ == '__main__':
    main()
