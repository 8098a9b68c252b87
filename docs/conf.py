"""How Sphinx builds the site. `python docs/build.py` calls it; the pages are MyST Markdown, readable where they lie."""

project = "helo"
author = "the authors of helo"
extensions = ["myst_parser"]
root_doc = "index"
exclude_patterns = ["decisions/0000-template.md"]
myst_heading_anchors = 4
highlight_language = "text"
smartquotes = False  # what is typed must stay as it is typed

html_theme = "furo"
html_title = "helo"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
# Excerpts of what was found are fetched page by page, which no browser does from a folder; titles and headings need none.
html_show_search_summary = False
html_theme_options = {
    # Fonts that the reader's machine has: nothing is loaded from elsewhere.
    "light_css_variables": {"font-stack": "system-ui, sans-serif", "font-stack--monospace": "ui-monospace, monospace"},
}
