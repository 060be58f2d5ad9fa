"""Weights between libraries: every direction at a tiny size, against the other side's own model."""

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from safetensors import safe_open

from bootmae_mm import checkpoint
from bootmae_mm.convert import reference
from bootmae_mm.convert.conversion import convert
from bootmae_mm.convert.exports import ONNX_FROM
from bootmae_mm.encoder.loading import load_encoder
from bootmae_mm.engine.resume.changes import snapshot
from bootmae_mm.studies.parity import Golden
from tests.helpers.conversion_data import (
    TINY,
    classifier_file,
    golden_file,
    pretraining_file,
    save,
    segmentor_file,
)
from tests.helpers.models import randomise
from tests.helpers.paths import GOLDEN


@pytest.fixture
def images() -> torch.Tensor:
    """Two images of noise."""
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(9))


@pytest.fixture
def pretrained(tmp_path) -> str:
    """The file of one of our pretrainings."""
    return pretraining_file(tmp_path)


@pytest.fixture
def classifier(tmp_path):
    """One of our classifiers, and its file."""
    return classifier_file(tmp_path)


def encoder_of(path: str):
    model = MODELS.build(dict(TINY, type='BootMAEViT', out_type='raw'))
    load_encoder(model, checkpoint.read_state_dict(path))
    model.eval()
    return model


class TestReference:
    """The plain functions against the numbers of the authors' release."""

    def test_pretraining(self):
        golden = Golden(GOLDEN / 'bootmae_tiny.npz')
        w, data = golden.tensors('student'), golden.tensors('step0')
        ids, count = data['ids_shuffle'].long(), 64 - golden.meta['num_masked']
        blocks = reference.encode(w, data['images'], 3, ids[:, :count])
        latent = reference.norm(w, 'norm', blocks[-1])
        features = reference.predict(w, '_1', latent, blocks[-1], ids[:, count:], 3)
        pixels = reference.predict(w, '', latent, blocks[0], ids[:, count:], 3)
        p = golden.meta['patch_size']
        pictures = data['pixel_pred'].unfold(2, p, p).unfold(3, p, p).permute(0, 2, 3, 1, 4, 5)
        pictures = pictures.reshape(2, 64, -1)
        for row in range(2):
            masked = ids[row, count:]
            close(pixels[row], pictures[row, masked])
            close(features[row], data['feature_pred'][row, masked])

    def test_classifier(self):
        golden = Golden(GOLDEN / 'finetune_tiny.npz')
        scores = reference.classify(golden.tensors('state'), golden.tensor('images'), 3)
        close(scores, golden.tensor('logits'))

    def test_segmentation_backbone(self):
        golden = Golden(GOLDEN / 'seg_backbone_tiny.npz')
        maps = reference.pyramid(golden.tensors('state'), golden.tensor('images'), 2, range(4))
        for level, x in enumerate(maps):
            close(x, golden.tensor(f'level{level}'))


def close(actual, expected) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


class TestReleaseAndOurs:
    def test_pretraining_there_and_back(self, tmp_path):
        golden, source = golden_file(tmp_path, 'bootmae_tiny', 'student')
        ours, back = tmp_path / 'ours.pth', tmp_path / 'back.pth'
        report = convert(source, ours, 'ours', num_heads=3)
        assert (report.layout, report.kind) == ('release', 'pretraining')
        assert report.differences.keys() == {'tokens', 'regressor', 'predictor'}
        assert max(report.differences.values()) < 1e-5
        written = checkpoint.read_state_dict(ours)
        assert torch.equal(
            written['predictor.blocks.1.self_attn.proj.weight'],
            golden.tensor('student/decode_blocks_1.1.attn.proj.weight'),
        )
        convert(ours, back, 'release', num_heads=3)
        assert_same(checkpoint.read_state_dict(back), golden.tensors('student'))

    def test_classifier_there_and_back(self, tmp_path):
        golden, source = golden_file(tmp_path, 'finetune_tiny', 'state')
        report = convert(source, tmp_path / 'ours.safetensors', 'ours', num_heads=3)
        assert report.kind == 'classifier' and report.differences['class scores'] < 1e-5
        convert(tmp_path / 'ours.safetensors', tmp_path / 'back.pth', 'release', num_heads=3)
        assert_same(checkpoint.read_state_dict(tmp_path / 'back.pth'), golden.tensors('state'))

    def test_segmentor_there_and_back(self, tmp_path):
        _, source = segmentor_file(tmp_path)
        report = convert(source, tmp_path / 'ours.pth', 'ours')
        assert report.kind == 'segmentor' and report.arch.num_heads == 2
        assert len(report.differences) == 4 and max(report.differences.values()) < 1e-5
        ours, theirs = (checkpoint.read_state_dict(p) for p in (tmp_path / 'ours.pth', source))
        assert torch.equal(ours['neck.upsample_4x.3.bias'], theirs['backbone.fpn1.3.bias'])
        for name in theirs:
            if '_head.' in name:
                assert torch.equal(ours[name], theirs[name])
        convert(tmp_path / 'ours.pth', tmp_path / 'back.pth', 'release')
        assert_same(checkpoint.read_state_dict(tmp_path / 'back.pth'), theirs)

    def test_our_pretraining_loses_its_teacher_and_key_bias_alone(self, pretrained, tmp_path):
        report = convert(pretrained, tmp_path / 'release.pth', 'release', num_heads=3)
        state = checkpoint.read_state_dict(pretrained)
        assert report.num_left_out == sum(name.startswith('teacher.') for name in state) > 0
        assert max(report.differences.values()) < 1e-5
        back = checkpoint.from_release(checkpoint.read_state_dict(tmp_path / 'release.pth'))
        for name, value in back.items():
            if name.endswith('.kv.bias') or name.endswith('.qkv.bias'):
                continue
            assert torch.equal(value, state[name]), name

    def test_what_was_converted_is_stored(self, tmp_path):
        _, source = golden_file(tmp_path, 'finetune_tiny', 'state')
        convert(source, tmp_path / 'ours.pth', 'ours', num_heads=3)
        meta = torch.load(tmp_path / 'ours.pth', weights_only=True)['meta']
        assert meta['converted_from'] == 'release.pth'
        assert meta['source_kind'] == 'classifier' and 'num_heads=3' in meta['encoder']


def assert_same(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name].to(one[name].dtype)), name


@pytest.mark.parametrize('given, expected', [(None, 3), (6, 6)])
def test_the_heads_are_those_of_the_run(given, expected, tmp_path):
    """By the settings in a checkpoint, which go before the standard of a width."""
    arch = dict(TINY['arch'], embed_dims=384, num_heads=3, num_layers=1)  # the standard is 6
    backbone = dict(TINY, type='BootMAEViT', arch=arch)
    model = MODELS.build(backbone)
    meta = dict(training=snapshot(Config(dict(model=dict(backbone=backbone)))))
    source = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=meta), source)
    report = convert(source, tmp_path / 'x.safetensors', 'safetensors', num_heads=given)
    assert report.arch.num_heads == expected


class TestGrids:
    """Patches in a rectangle, also of as many as a square has (16)."""

    @pytest.mark.parametrize('size', [(16, 24), (64, 16)])
    @pytest.mark.parametrize('to, name', [('safetensors', 'a.safetensors'), ('release', 'a.pth')])
    def test_a_fixed_embedding_says_which(self, size, to, name, tmp_path):
        source = pretraining_file(tmp_path, size)
        report = convert(source, tmp_path / name, to, num_heads=3)
        assert report.arch.img_size == size and report.arch.grid == (size[0] // 8, size[1] // 8)
        model, other = (
            MODELS.build(dict(TINY, type='BootMAEViT', out_type='raw', img_size=size)).eval()
            for _ in range(2)
        )
        assert 'resized' not in load_encoder(model, checkpoint.read_state_dict(source))
        load_encoder(other, checkpoint.read_state_dict(tmp_path / name))
        images = torch.randn(2, 3, *size)
        with torch.no_grad():
            close(other(images)[-1], model(images)[-1])

    @pytest.mark.parametrize('to, name', [('timm', 'a.pth'), ('transformers', 'a')])
    def test_other_libraries(self, to, name, tmp_path):
        pytest.importorskip(to)
        source = pretraining_file(tmp_path, (16, 24))
        report = convert(source, tmp_path / name, to, num_heads=3)
        assert report.differences['tokens, batch 2'] < 1e-5

    @pytest.mark.parametrize('size', [(16, 24), (64, 16)])
    def test_of_a_trained_one_the_run_says_which(self, size, tmp_path):
        backbone = dict(TINY, type='BootMAEViT', img_size=size)
        state = randomise(MODELS.build(backbone)).state_dict()
        alone, source = save(tmp_path / 'alone.pth', state), tmp_path / 'epoch_1.pth'
        meta = dict(training=snapshot(Config(dict(model=dict(backbone=backbone)))))
        torch.save(dict(state_dict=state, meta=meta), source)
        report = convert(source, tmp_path / 'a.safetensors', 'safetensors')
        assert report.arch.img_size == size and report.arch.num_heads == 3
        if size == (16, 24):
            with pytest.raises(ValueError, match='which grid it is, found 6 patches and none; con'):
                convert(alone, tmp_path / 'b.safetensors', 'safetensors', num_heads=3)


class TestTimm:
    @pytest.fixture(autouse=True)
    def library(self):
        self.timm = pytest.importorskip('timm')

    def test_an_encoder(self, pretrained, images, tmp_path):
        report = convert(pretrained, tmp_path / 'vit.safetensors', 'timm', num_heads=3)
        assert report.differences['tokens, batch 2'] < 1e-5 and report.num_left_out > 100
        vit = self.timm.models.vision_transformer.VisionTransformer(
            img_size=32, patch_size=8, embed_dim=24, depth=3, num_heads=3, mlp_ratio=2,
            num_classes=0,
        )  # fmt: skip
        self.timm.models.load_checkpoint(vit, str(tmp_path / 'vit.safetensors'))
        with torch.no_grad():
            expected = encoder_of(pretrained)(images)[-1]
            close(vit.eval().forward_features(images), expected)
        with safe_open(tmp_path / 'vit.safetensors', 'pt') as file:
            assert file.metadata()['converted_from'] == 'pretrained.pth'

    def test_a_classifier(self, classifier, images, tmp_path):
        model, source = classifier
        convert(source, tmp_path / 'vit.pth', 'timm', num_heads=3)
        vit = self.timm.models.vision_transformer.VisionTransformer(
            img_size=32, patch_size=8, embed_dim=24, depth=3, num_heads=3, mlp_ratio=2,
            num_classes=5, global_pool='avg', init_values=1,
        )  # fmt: skip
        vit.load_state_dict(checkpoint.read_state_dict(tmp_path / 'vit.pth'))
        with torch.no_grad():
            close(vit.eval()(images), model(images))

    def test_from_the_release(self, tmp_path):
        _, source = golden_file(tmp_path, 'finetune_tiny', 'state')
        report = convert(source, tmp_path / 'vit.pth', 'timm', num_heads=3)
        assert report.differences.keys() == {'class scores', 'class scores, batch 2'}

    def test_a_segmentation_backbone_has_no_counterpart(self, tmp_path):
        _, source = segmentor_file(tmp_path)
        with pytest.raises(ValueError, match='with relative position bias and without final norm'):
            convert(source, tmp_path / 'vit.pth', 'timm')


class TestTransformers:
    @pytest.fixture(autouse=True)
    def library(self):
        self.transformers = pytest.importorskip('transformers')

    def test_an_encoder(self, pretrained, images, tmp_path):
        report = convert(pretrained, tmp_path / 'vit', 'transformers', num_heads=3)
        assert report.differences['tokens, batch 2'] < 1e-5
        vit = self.transformers.ViTModel.from_pretrained(tmp_path / 'vit', add_pooling_layer=False)
        assert vit.config.converted['converted_from'] == 'pretrained.pth'
        with torch.no_grad():
            expected = encoder_of(pretrained)(images)[-1]
            close(vit.eval()(images).last_hidden_state, expected)

    def test_a_folder_is_only_replaced_by_force(self, pretrained, tmp_path):
        (tmp_path / 'vit').mkdir()
        (tmp_path / 'vit' / 'old').touch()
        with pytest.raises(ValueError, match='give --force'):
            convert(pretrained, tmp_path / 'vit', 'transformers', num_heads=3)
        convert(pretrained, tmp_path / 'vit', 'transformers', num_heads=3, force=True)
        assert {path.name for path in (tmp_path / 'vit').iterdir()} == {
            'config.json',
            'model.safetensors',
        }

    def test_a_classifier_has_no_counterpart(self, classifier, tmp_path):
        with pytest.raises(ValueError, match='reads the class token; convert it to timm or ONNX'):
            convert(classifier[1], tmp_path / 'vit', 'transformers', num_heads=3)


def test_plain_safetensors_of_the_encoder(pretrained, images, tmp_path):
    target = tmp_path / 'encoder.safetensors'
    report = convert(pretrained, target, 'safetensors', num_heads=3)
    state = checkpoint.read_state_dict(target)
    assert 'layers.0.ln1.weight' in state and len(state) == 42
    assert report.differences['tokens, batch 2'] == 0
    with torch.no_grad():
        close(encoder_of(target)(images)[-1], encoder_of(pretrained)(images)[-1])


class TestOnnx:
    @pytest.fixture(autouse=True)
    def library(self):
        self.runtime = pytest.importorskip('onnxruntime')
        pytest.importorskip('onnxscript')
        if torch.__version__ < ONNX_FROM:
            pytest.skip(f'PyTorch {torch.__version__} does not export any batch size')

    def run(self, path, images) -> torch.Tensor:
        session = self.runtime.InferenceSession(path)
        return torch.from_numpy(session.run(None, {'images': images.numpy()})[0])

    def test_an_encoder_at_any_batch_size(self, tmp_path, recwarn):
        """Of one block, since an export takes seconds for every block; PyTorch's word about its own
        code stays unsaid."""
        arch = dict(TINY['arch'], num_layers=1)
        model = randomise(MODELS.build(dict(TINY, type='BootMAEViT', out_type='raw', arch=arch)))
        source = save(tmp_path / 'encoder.pth', model.state_dict())
        report = convert(source, tmp_path / 'vit.onnx', 'onnx', num_heads=3)
        assert report.differences.keys() == {'tokens, batch 1', 'tokens, batch 3'}
        assert not [warning for warning in recwarn if 'LeafSpec' in str(warning.message)]
        for batch in (1, 3):
            images = torch.randn(batch, 3, 32, 32)
            with torch.no_grad():
                close(self.run(tmp_path / 'vit.onnx', images), model(images)[-1])
        metadata = self.runtime.InferenceSession(tmp_path / 'vit.onnx').get_modelmeta()
        assert metadata.custom_metadata_map['converted_from'] == 'encoder.pth'
        assert {path.name for path in tmp_path.iterdir()} == {'encoder.pth', 'vit.onnx'}

    @pytest.mark.long
    def test_a_classifier(self, classifier, tmp_path):
        model, source = classifier
        convert(source, tmp_path / 'vit.onnx', 'onnx', num_heads=3)
        for batch in (1, 3):
            images = torch.randn(batch, 3, 32, 32)
            with torch.no_grad():
                close(self.run(tmp_path / 'vit.onnx', images), model(images))

    @pytest.mark.long
    def test_a_segmentation_backbone_of_the_release(self, tmp_path):
        golden, source = segmentor_file(tmp_path)
        convert(source, tmp_path / 'vit.onnx', 'onnx')
        actual = self.run(tmp_path / 'vit.onnx', golden.tensor('images'))
        expected = reference.encode(golden.tensors('state'), golden.tensor('images'), 2)[-1]
        close(actual, expected)
