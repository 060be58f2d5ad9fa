"""The benchmark of the dense models at a tiny size, and that attention keeps no matrix."""

import sys
from itertools import count
from types import ModuleType

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bootmae_mm.encoder import BootMAEViT
from bootmae_mm.engine.memory import checkpoint_blocks
from tests.helpers.dense_data import ARCH, BLOCKS, WIDTH, tiny_det, tiny_seg
from tests.helpers.paths import ROOT

FORMS = ('stock', 'plain', 'checkpointed', 'windowed')


@pytest.fixture(scope='module')
def step() -> ModuleType:
    """The benchmark as a module."""
    folder = str(ROOT / 'benchmarks')
    sys.path.insert(0, folder)
    try:
        import dense_step
    finally:
        sys.path.remove(folder)
    return dense_step


@pytest.fixture
def tiny(step, monkeypatch, tmp_path) -> ModuleType:
    """The benchmark with tiny models, and with its own processes in this one."""

    def load(name: str):
        make = tiny_seg if name.startswith('seg') else tiny_det
        cfg = make(tmp_path, tmp_path, name.removesuffix('.py'))
        if 'window_size' in cfg.model.backbone:
            cfg.model.backbone.update(window_size=2, global_blocks=[1])
        return cfg

    monkeypatch.setattr(step, 'load', load)
    monkeypatch.setattr(step, 'SIZES', dict(seg=(64, 64), det=(64, 96)))
    monkeypatch.setattr(step, 'NUM_CLASSES', dict(seg=3, det=2))
    monkeypatch.setattr(step.common, 'in_own_process', lambda function, *args: function(*args))
    monkeypatch.setattr(step.common, 'peak_memory', count(2**30, 2**30).__next__)
    return step


def test_the_table_of_training_has_every_form(tiny, tmp_path, capsys):
    sections = tiny.measure(['seg', 'det'], FORMS, ['training'], 'float32', 1, tmp_path)
    assert len(sections) == 2
    for rows in sections.values():
        assert [row['form'] for row in rows] == list(FORMS)
        for row in rows:
            assert row['time / stock'] == pytest.approx(row['seconds'] / rows[0]['seconds'])
            assert row['peak GiB'] == row['peak / stock'] == 1
        stock, plain, checkpointed, windowed = (row['kept by the encoder, GiB'] for row in rows)
        assert plain == pytest.approx(stock, rel=1e-3)
        assert 0 < checkpointed < plain / 2 and windowed > plain
    assert (tmp_path / 'dense_step.json').is_file()
    assert (tmp_path / 'dense_step.md').read_text().count('| windowed |') == 2
    assert capsys.readouterr().out.count('memory of') == 8


def test_a_prediction_keeps_nothing(tiny, tmp_path):
    (rows,) = tiny.measure(['det'], ['plain'], ['prediction'], 'bfloat16', 1, tmp_path).values()
    assert rows[0]['kept by the encoder, GiB'] == 0 and rows[0]['time / stock'] is None


def test_a_ratio_needs_the_stock_form(step):
    seconds, memory = {'plain': 3.0}, {'plain': dict(peak=2**30, kept=2**29)}
    assert step.row('plain', seconds, memory) == {
        'form': 'plain',
        'seconds': 3.0,
        'time / stock': None,
        'peak GiB': 1.0,
        'peak / stock': None,
        'kept by the encoder, GiB': 0.5,
    }


@pytest.mark.parametrize('task', ['seg', 'det'])
def test_the_forms_differ_in_the_encoder_only(tiny, task):
    models = {form: tiny.build_step(task, form, 'training', 'float32')[0] for form in FORMS}
    stock, plain = models['stock'], models['plain']
    assert type(stock.backbone).__name__ == 'VisionTransformer'
    assert type(plain.backbone) is BootMAEViT
    shapes = {name: p.shape for name, p in plain.named_parameters()}
    for model in models.values():
        assert {name: p.shape for name, p in model.named_parameters()} == shapes
    assert stock.backbone.out_indices == plain.backbone.out_indices
    windows = [layer.attn.window_size for layer in models['windowed'].backbone.layers]
    assert windows == [2, None, 2, 2]
    rates = [
        [layer.attn.out_drop.drop_prob for layer in model.backbone.layers]
        for model in models.values()
    ]
    assert rates == [rates[0]] * 4 and rates[0][-1] == 0.1


def test_a_training_step_moves_the_weights(tiny):
    model, step = tiny.build_step('det', 'plain', 'training', 'float32')
    weight = model.backbone.layers[0].attn.qkv.weight
    before = weight.detach().clone()
    step()
    assert not torch.equal(weight, before)


@pytest.mark.parametrize(
    'arguments, sentence',
    [(['pose'], 'tasks out of seg and det, found pose'), (['--rounds', '0'], 'at least one round')],
)
def test_a_wrong_command_is_a_sentence(step, arguments, sentence, capsys):
    with pytest.raises(SystemExit):
        step.parse_args(arguments)
    assert sentence in capsys.readouterr().err


def encoder(out_indices=(BLOCKS - 1,), **options) -> BootMAEViT:
    torch.manual_seed(0)
    return BootMAEViT(
        ARCH, img_size=64, patch_size=8, out_type='featmap', out_indices=out_indices,
        final_norm=False, **options,
    )  # fmt: skip


IMAGES = torch.randn(2, 3, 72, 88)
TOKENS = 9 * 11 + 1


def test_what_a_block_keeps_for_the_backward_pass(step):
    """In maps of tokens: input 1, normed 1, q, k, v 3, attention 1, output 1, normed 1, and the
    MLP's hidden layer of twice the width before and after GELU 2 + 2. Windows add copies of q, k
    and v and the joined result; checkpointed blocks keep their input."""
    kept = {form: kept_by_a_block(step, form) for form in FORMS[1:]}
    # Beside the maps: means and deviations of two norms, softmax's denominator of every head.
    plain = 12 + (2 * 2 + ARCH['num_heads']) / WIDTH
    assert kept['plain'] == pytest.approx(plain, rel=1e-3)
    assert kept['checkpointed'] == 1
    # Twelve windows, and the class token's key and value in each of them.
    copies, joined = (99 + 2 * (99 + 12)) / 100, 1
    assert kept['windowed'] == pytest.approx(plain + copies + joined, rel=1e-3)


def kept_by_a_block(step: ModuleType, form: str) -> float:
    """In maps of tokens: half the difference between four blocks and two."""
    counts = []
    for last in (3, 1):
        model = encoder(out_indices=[last], window_size=3 if form == 'windowed' else None)
        if form == 'checkpointed':
            checkpoint_blocks(model)
        counter = step.KeptMemory(model)
        model(IMAGES)
        counts.append(counter.bytes)
    return (counts[0] - counts[1]) / 2 / (IMAGES.shape[0] * TOKENS * WIDTH * 4)


class Results(TorchDispatchMode):
    """Notes every operation below autograd and the shapes of its results."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes = []
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        results = func(*args, **(kwargs or {}))
        self.names.add(func.name())
        self.shapes += [tuple(x.shape) for x in tree_leaves(results) if torch.is_tensor(x)]
        return results

    def score_matrices(self) -> list[tuple[int, ...]]:
        """Results with a value for every pair of tokens."""
        return [shape for shape in self.shapes if shape.count(TOKENS) > 1]


def forward_and_backward(model: BootMAEViT) -> Results:
    with Results() as results:
        model(IMAGES)[0].square().mean().backward()
    return results


def test_no_attention_matrix_is_made():
    """Neither forward nor backward; PyTorch's fused kernels run, without a mask."""
    results = forward_and_backward(encoder())
    assert not results.score_matrices()
    fused = {name for name in results.names if 'scaled_dot_product_flash' in name}
    assert {name.endswith('_backward') for name in fused} == {False, True}
    assert not forward_and_backward(encoder(window_size=3)).score_matrices()


def test_relative_position_bias_makes_one_by_its_nature():
    """What is added to the scores has a value for every head and pair of tokens."""
    found = forward_and_backward(encoder(relative_position_bias=True)).score_matrices()
    assert (1, ARCH['num_heads'], TOKENS, TOKENS) in found
