"""The check of a config as a whole."""

from mmengine.config import Config

from .parts import part_problems
from .sections import section_problems


def config_problems(cfg: Config) -> list[str]:
    """What is wrong with a config, a sentence each: misspelt keys and types, settings of a wrong
    kind or out of range, settings that a class needs and lacks, parts that go together.

    Nothing is built, so that sizes that do not fit each other, and paths, are left to others. What
    a class does with a ``**kwargs`` of its own is not known, and passes.
    """
    cfg = cfg.to_dict() if isinstance(cfg, Config) else cfg
    return list(dict.fromkeys([*section_problems(cfg), *part_problems(cfg)]))


def check_config(cfg: Config) -> None:
    """Refuse a config that :func:`config_problems` finds something in.

    Raises:
        ValueError: With the sentence, or a list of them.
    """
    problems = config_problems(cfg)
    if len(problems) == 1:
        raise ValueError(problems[0])
    if problems:
        raise ValueError(
            '\n- '.join([f'Expected a sound config, found {len(problems)} errors:', *problems])
        )
