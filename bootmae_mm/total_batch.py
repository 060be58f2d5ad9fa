"""The total batch a config states, whatever the number of processes."""

from mmengine.config import Config


def apply_total_batch(cfg: Config, world_size: int) -> int:
    """Set the gradient accumulation that gives ``cfg.total_batch_size``.

    ``total = batch of a process × processes × accumulated batches``. Does nothing for a config
    that states no total. ``optim_wrapper.accumulative_counts`` is taken as a demand if it is
    there, and computed if not.

    Args:
        cfg: A config with ``total_batch_size``, ``train_dataloader`` and ``optim_wrapper``.
        world_size: Number of processes.

    Returns:
        The number of accumulated batches.

    Raises:
        ValueError: If the numbers do not multiply to the total.
    """
    total = cfg.get('total_batch_size')
    demanded = cfg.optim_wrapper.get('accumulative_counts')
    if total is None:
        return demanded or 1
    batch = cfg.train_dataloader.batch_size
    count, rest = divmod(total, batch * world_size)
    if rest or count == 0 or demanded not in (None, count):
        demand = '' if demanded is None else f' × {demanded} accumulated batches'
        raise ValueError(
            f'The recipe needs a total batch of {total}, found train_dataloader.batch_size={batch} '
            f'× {world_size} processes{demand} = {batch * world_size * (demanded or 1)}; set '
            f'batch_size so that batch × processes divides {total} (accumulation then follows).'
        )
    cfg.optim_wrapper.accumulative_counts = count
    return count
