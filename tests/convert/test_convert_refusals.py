"""Conversions that must not be written, and the command line."""

import json
import sys

import pytest
import torch
from torch.torch_version import TorchVersion

from bootmae_mm import checkpoint
from bootmae_mm.convert import exports
from bootmae_mm.convert.conversion import convert
from tests.helpers.conversion_data import Command, golden_file, pretraining_file, save
from tests.helpers.data_cases import assert_one_sentence
from tools import convert as tool


@pytest.fixture
def pretrained(tmp_path) -> str:
    """The file of one of our pretrainings."""
    return pretraining_file(tmp_path)


class TestRefusals:
    @pytest.mark.parametrize(
        'name', ['norm.bias', 'decode_blocks.1.c_attn.q.weight', 'down_1.bias']
    )
    def test_nothing_is_written_when_the_outputs_differ(self, name, tmp_path, monkeypatch):
        _, source = golden_file(tmp_path, 'bootmae_tiny', 'student')
        correct = checkpoint.from_release

        def wrong(state, names):
            noise = torch.linspace(0.01, 0.1, state[name].numel()).view_as(state[name])
            return correct({**state, name: state[name] + noise}, names)

        monkeypatch.setattr(checkpoint, 'from_release', wrong)
        for force in (False, True):
            with pytest.raises(ValueError, match='apart where 1e-04 is allowed; nothing was writt'):
                convert(source, tmp_path / 'ours.pth', 'ours', num_heads=3, force=force)
        assert [path.name for path in tmp_path.iterdir()] == ['release.pth']

    @pytest.mark.parametrize('to, target', [('timm', 'x.pth'), ('transformers', 'x')])
    def test_a_wrong_export_is_not_written(self, to, target, pretrained, tmp_path, monkeypatch):
        pytest.importorskip(to)
        wrong = {'blocks.*.norm1': 'layers.*.ln2', 'blocks.*.norm2': 'layers.*.ln1'}
        monkeypatch.setattr(exports, 'TIMM_NAMES', {**exports.TIMM_NAMES, **wrong})
        wrong = {
            'encoder.layer.*.layernorm_before': 'layers.*.ln2',
            'encoder.layer.*.layernorm_after': 'layers.*.ln1',
        }
        names = {**checkpoint.TRANSFORMERS_NAMES, **wrong}
        monkeypatch.setattr(checkpoint, 'TRANSFORMERS_NAMES', names)
        with pytest.raises(ValueError, match='nothing was written'):
            convert(pretrained, tmp_path / target, to, num_heads=3)
        assert [path.name for path in tmp_path.iterdir()] == ['pretrained.pth']

    def test_a_trained_position_embedding_does_not_fit_the_releases_predictor(self, tmp_path):
        state = checkpoint.read_state_dict(pretraining_file(tmp_path))
        state['backbone.pos_embed'] += torch.randn(24)
        source = save(tmp_path / 'trained.pth', state)
        with pytest.raises(ValueError, match='found predictor .* apart'):
            convert(source, tmp_path / 'x.pth', 'release', num_heads=3)

    def test_not_a_number_is_refused(self, pretrained, tmp_path):
        state = checkpoint.read_state_dict(pretrained)
        state['backbone.cls_token'][:] = float('nan')
        source = save(tmp_path / 'nan.pth', state)
        with pytest.raises(ValueError, match='found tokens, batch 2 inf apart'):
            convert(source, tmp_path / 'x.safetensors', 'safetensors', num_heads=3)

    def test_other_layouts(self, tmp_path):
        state = {'blocks.0.attn.qkv.bias': torch.zeros(3), 'patch_embed.proj.bias': torch.zeros(1)}
        with pytest.raises(ValueError, match="names like 'blocks.0.attn.qkv.bias'; other layouts"):
            convert(save(tmp_path / 'timm.pth', state), tmp_path / 'x.pth', 'ours')

    def test_the_same_layout(self, pretrained, tmp_path):
        with pytest.raises(ValueError, match="has the layout 'ours' already"):
            convert(pretrained, tmp_path / 'x.pth', 'ours')

    @pytest.mark.parametrize(
        'num_heads, sentence',
        [
            (None, 'found none in the checkpoint and no known ViT of width 24; give it with --num'),
            (5, 'width 24, found 5; give it with --num-heads'),
            (0, 'width 24, found 0; give it with --num-heads'),
        ],
    )
    def test_unknown_heads(self, num_heads, sentence, pretrained, tmp_path):
        with pytest.raises(ValueError, match=sentence):
            convert(pretrained, tmp_path / 'x.pth', 'release', num_heads=num_heads)

    def test_an_old_pytorch_exports_no_onnx(self, pretrained, tmp_path, monkeypatch):
        monkeypatch.setattr(torch, '__version__', TorchVersion('2.7.1+cpu'))
        with pytest.raises(ValueError) as caught:
            convert(pretrained, tmp_path / 'x.onnx', 'onnx', num_heads=3)
        assert_one_sentence(caught.value, 'Expected PyTorch 2.8 or newer .*, found 2.7.1')

    @pytest.mark.parametrize('name', ['regressor', 'predictor'])
    def test_decoders_with_other_heads_than_the_encoder(self, name, pretrained, tmp_path):
        """Of a run, which knows them; the release's have the encoder's."""
        state = checkpoint.read_state_dict(pretrained)
        for heads in (3, 4):
            model = dict(backbone=dict(arch=dict(num_heads=3)))
            model[name] = dict(num_heads=heads)
            meta = dict(training=json.dumps(dict(model=model)))
            torch.save(dict(state_dict=state, meta=meta), tmp_path / f'run{heads}.pth')
        convert(tmp_path / 'run3.pth', tmp_path / 'x.pth', 'release', num_heads=3)
        with pytest.raises(ValueError) as caught:
            convert(tmp_path / 'run4.pth', tmp_path / 'y.pth', 'release', num_heads=3)
        assert_one_sentence(caught.value, f"encoder's 3 heads, .* found a {name} with 4 in")
        convert(tmp_path / 'run4.pth', tmp_path / 'y.safetensors', 'safetensors', num_heads=3)

    @pytest.mark.parametrize(
        'to, name', [('onnx', 'x.pth'), ('transformers', 'x.pth'), ('safetensors', 'x.bin')]
    )
    def test_names_that_do_not_fit(self, to, name, pretrained, tmp_path):
        with pytest.raises(ValueError, match=f"for '{to}', found .*; choose another name"):
            convert(pretrained, tmp_path / name, to)

    def test_existing_files_and_missing_folders(self, pretrained, tmp_path):
        target = tmp_path / 'x.safetensors'
        target.touch()
        with pytest.raises(ValueError, match='exists; choose another or give --force'):
            convert(pretrained, target, 'safetensors', num_heads=3)
        convert(pretrained, target, 'safetensors', num_heads=3, force=True)
        assert target.stat().st_size > 0
        with pytest.raises(ValueError, match='make it first'):
            convert(pretrained, tmp_path / 'no' / 'x.pth', 'release', num_heads=3)

    def test_a_missing_library_names_the_extra(self, monkeypatch):
        monkeypatch.setitem(sys.modules, 'timm', None)
        with pytest.raises(ValueError, match=r"pip install 'bootmae-mm\[convert\]'"):
            exports.needed('timm')

    def test_incomplete_weights(self, pretrained, tmp_path):
        state = checkpoint.read_state_dict(pretrained)
        del state['backbone.layers.1.ln2.bias']
        with pytest.raises(ValueError, match='Missing .*layers.1.ln2.bias'):
            convert(save(tmp_path / 'y.pth', state), tmp_path / 'x.pth', 'release', num_heads=3)


class TestCommand:
    def test_it_says_what_it_did(self, pretrained, tmp_path, capsys):
        target = str(tmp_path / 'x.safetensors')
        tool.main([pretrained, target, '--to', 'safetensors', '--num-heads', '3'])
        out = capsys.readouterr().out
        assert 'pretraining (ours), 3 blocks of width 24, 3 heads, patch 8, image 32' in out
        assert 'largest difference 0.0e+00 (allowed 1e-04)' in out
        assert 'tensors have no place in' in out and f'wrote {target}' in out

    def test_errors_are_one_sentence(self, pretrained, capsys):
        with pytest.raises(SystemExit, match='2'):
            tool.main([pretrained, 'x.pth', '--to', 'release'])
        assert 'give it with --num-heads.' in capsys.readouterr().err

    def test_a_pickle_with_code_is_refused(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        torch.save({'model': {'x': Command()}}, 'bad.pth')
        with pytest.raises(SystemExit, match='2'):
            tool.main(['bad.pth', 'x.pth', '--to', 'ours'])
        assert 'damaged or holds other objects' in capsys.readouterr().err
        assert [path.name for path in tmp_path.iterdir()] == ['bad.pth']
