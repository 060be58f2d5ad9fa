"""An error that stays one sentence on its way out of a data loader's worker."""


class DataError(ValueError):
    """Something wrong with data, in one sentence.

    PyTorch raises a worker's error anew with the worker's traceback for a message; of that, the
    last line is the sentence.
    """

    def __init__(self, message: str) -> None:
        name = f'{type(self).__module__}.{type(self).__qualname__}: '
        super().__init__(message.rpartition(name)[2].strip())
