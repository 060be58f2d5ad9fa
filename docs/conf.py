"""The documentation's site: `make docs` builds it into site/, and any broken reference fails.

Sphinx with MyST, as OpenMMLab's own documentation. The API pages come from the docstrings by
reading the source (autoapi), so neither PyTorch nor the package has to be installed.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx.util.nodes import make_refnode

DOCS = Path(__file__).parent
ROOT = DOCS.parent
VERSION_FILE = ROOT / 'bootmae_mm' / 'version.py'

project = 'bootmae-mm'
author = copyright = 'the bootmae-mm authors'
release = re.search(r"__version__ = '(.+)'", VERSION_FILE.read_text()).group(1)

extensions = ['myst_parser', 'autoapi.extension', 'sphinx.ext.napoleon']
html_theme = 'furo'
html_title = f'bootmae-mm {release}'
html_show_sourcelink = False
highlight_language = 'none'
exclude_patterns = ['_*']

napoleon_use_ivar = True  # attributes once, though autoapi lists them too
myst_heading_anchors = 4
myst_enable_extensions = ['colon_fence']

autoapi_dirs = [str(ROOT / 'bootmae_mm')]
autoapi_root = 'api'
autoapi_ignore = ['*/__main__.py']
autoapi_options = ['members', 'undoc-members', 'show-inheritance', 'show-module-summary']
autoapi_member_order = 'bysource'
autoapi_python_class_content = 'class'
autoapi_keep_files = False

# autoapi does not know constants that are assigned several at once.
suppress_warnings = ['autoapi.python_import_resolution']

# References to names of this package have to be found; those of others have no page here.
nitpicky = True
nitpick_ignore_regex = [(r'py:.*', r'(?!bootmae_mm\b).*')]

# [text](../path): a file or folder of the repository that is no page of the site.
REPOSITORY_LINK = re.compile(r'\[([^\]]+)\]\((\.\./[^)\s#]+)(#[^)\s]*)?\)')


def name_repository_files(app, docname: str, source: list[str]) -> None:
    """Replace links out of the documentation by the names of what they lead to.

    Raises:
        ValueError: If that is not in the repository.
    """

    def as_name(match: re.Match) -> str:
        text, target = match.group(1), (DOCS / match.group(2)).resolve()
        if not target.exists():
            raise ValueError(f'{docname}: expected a link into the repository, found {match[2]}.')
        name = target.relative_to(ROOT).as_posix()
        return f'`{name}`' if text.strip('`') in name else f'{text} (`{name}`)'

    source[0] = REPOSITORY_LINK.sub(as_name, source[0])


def set_off_indented_blocks(app, what, name, obj, options, lines: list[str]) -> None:
    """Make code of a docstring's indented paragraphs, such as diagrams and command lines."""
    for index in range(len(lines) - 1, 1, -1):
        before, blank, line = lines[index - 2 : index + 1]
        if before.strip() and not before.startswith(' ') and not blank and line.startswith('    '):
            lines[index - 1 : index] = ['', '::', '']


def find_where_defined(app, env, node, contnode) -> nodes.Element | None:
    """Resolve a name that a package hands on from one of its modules."""
    package, _, name = node.get('reftarget', '').rpartition('.')
    if not package.startswith('bootmae_mm'):
        return None
    objects = env.get_domain('py').objects
    found = [
        full for full in objects if full.startswith(f'{package}.') and full.endswith(f'.{name}')
    ]
    if len(found) != 1:
        return None
    entry = objects[found[0]]
    return make_refnode(
        app.builder, node['refdoc'], entry.docname, entry.node_id, contnode, found[0]
    )


def setup(app) -> None:
    """Called by Sphinx."""
    app.connect('source-read', name_repository_files)
    app.connect('autodoc-process-docstring', set_off_indented_blocks, priority=100)
    app.connect('missing-reference', find_where_defined)
