"""What a user asks a command for."""

import shlex
from pathlib import Path
from typing import NamedTuple


class Wish(NamedTuple):
    """What the user asks for.

    Attributes:
        name: Of the command.
        data: The folder.
        out: Where the run is written.
        options: The others by their names on the command line, only those that were given.
    """

    name: str
    data: str
    out: str
    options: dict[str, object]

    def command(self) -> str:
        """As it is typed; sizes as HEIGHTxWIDTH."""
        words = ['python -m bootmae_mm', self.name, shlex.quote(self.data)]
        for option, value in {**self.options, 'out': self.out}.items():
            if value is True:
                words.append(f'--{option}')
                continue
            text = 'x'.join(map(str, value)) if isinstance(value, tuple) else str(value)
            words += [f'--{option}', shlex.quote(text)]
        return ' '.join(words)

    @property
    def config(self) -> Path:
        """The config that the command writes."""
        return Path(self.out).expanduser().absolute() / 'config.py'
