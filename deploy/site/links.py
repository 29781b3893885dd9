"""Leaves source code out of the site, and leads links out of docs/ to the repository."""

import posixpath
import re

REPOSITORY = "https://github.com/traffic-exporter/traffic_exporter/blob/main/"
LINK = re.compile(r"\]\((\.\./[^)#]*)(#[^)]*)?\)")


def on_files(files, **_):
    """Leaves out the source code."""
    for file in [f for f in files if f.src_uri.endswith(".go")]:
        files.remove(file)
    return files


def on_page_markdown(markdown, page, **_):
    folder = posixpath.dirname("docs/" + page.file.src_uri)

    def lead(match):
        target = posixpath.normpath(posixpath.join(folder, match[1]))
        if target.startswith("docs/"):
            return match[0]
        return f"]({REPOSITORY}{target}{match[2] or ''})"

    return LINK.sub(lead, markdown)
