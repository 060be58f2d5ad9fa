"""HTML read back with the standard library's parser."""

from html.parser import HTMLParser

VOID_TAGS = {'img', 'meta', 'br', 'link'}


class Page(HTMLParser):
    """Collects (tag, attributes, text) of all elements, text including that of descendants."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements, self.open_elements = [], []
        self.feed(html)
        self.close()
        assert not self.open_elements, f'not closed: {self.open_elements}'

    def handle_starttag(self, tag, attrs):
        element = {'tag': tag, 'attrs': dict(attrs), 'text': ''}
        self.elements.append(element)
        if tag not in VOID_TAGS:
            self.open_elements.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append({'tag': tag, 'attrs': dict(attrs), 'text': ''})

    def handle_endtag(self, tag):
        assert self.open_elements.pop()['tag'] == tag

    def handle_data(self, data):
        for element in self.open_elements:
            element['text'] += data

    def all(self, tag: str) -> list[dict]:
        return [element for element in self.elements if element['tag'] == tag]

    def texts(self, tag: str) -> list[str]:
        return [element['text'] for element in self.all(tag)]
