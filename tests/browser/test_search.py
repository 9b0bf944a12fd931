"""What a reader types, and the page that must be among the first two results."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from visits import watched

from tools.chapters import is_chapter

pytestmark = pytest.mark.browser
SLOWEST = 30_000  # ms until a search has answered
FIRST = 2
QUERIES = {
    "LIME": "proxies/lime",
    "SHAP": "saliency/shapley",
    "Shapley": "saliency/shapley",
    "integrated gradients": "saliency/gradients",
    "how many regions": "piecewise-linear/counting-regions",
    "loan": "piecewise-linear/case-home-lending",
    "counterfactual": "cases/counterfactuals",
    "p-value": "piecewise-linear/unwrapping-inference",
    "install": "running",
    "PyTorch": "piecewise-linear/local-linear-models",
    "confidence interval": "piecewise-linear/unwrapping-inference",
    "drift": "reading-weights/watching-a-network-drift",
    "Colab": "running",
    "no access to the model": "piecewise-linear/openapi",
    "one number per feature": "saliency/shapley",
    "Grad-CAM": "saliency/class-activation-maps",
    "decision tree": "proxies/trees",
    "feature importance": "piecewise-linear/unwrapping-interpretation",
    "partial dependence": "saliency/effects",
    "adversarial attack": "cases/adversarial-examples",
    "nearest neighbours": "cases/neighbours-and-prototypes",
    "symbolic regression": "reading-weights/symbolic-regression",
    "ground truth": "saliency/ground-truth",
    "knowledge distillation": "piecewise-linear/distillation",
}


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    with watched(browser) as watch:
        yield watch.context


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page of its own, with the index that the tests before it have loaded."""
    with context.new_page() as one:
        yield one


def results(page: Page, base: str, query: str) -> list[dict[str, str]]:
    """Type a query into the address and return what the page lists: name and excerpt."""
    page.goto(f"{base}search.html?q={quote(query)}")
    page.locator(".search-summary:not(:empty)").wait_for(timeout=SLOWEST)
    found = page.locator("ul.search > li").evaluate_all(
        "all => all.map(one => ({href: one.querySelector('a').href, text: one.innerText}))"
    )
    return [one | {"page": one["href"][len(base) :].split(".html")[0]} for one in found]


def names(page: Page, base: str, query: str) -> list[str]:
    """Return the pages that a query finds, each once, the best first."""
    return list(dict.fromkeys(one["page"] for one in results(page, base, query)))


@pytest.mark.parametrize(("query", "wanted"), QUERIES.items())
def test_the_page_is_among_the_first(query, wanted, page, base) -> None:
    found = names(page, base, query)
    assert wanted in found[:FIRST], found[:6]


@pytest.mark.parametrize("code", ["ndarray", "figsize", "dtype"])
def test_code_is_not_indexed(code, page, base) -> None:
    found = names(page, base, code)
    assert not [name for name in found if is_chapter(name)]


def test_a_tie_goes_to_the_earlier_chapter(page, base) -> None:
    """Both name the keyword."""
    found = names(page, base, "captum")
    assert found[:FIRST] == ["saliency/gradients", "saliency/ground-truth"]


def test_an_excerpt_is_prose(page, base) -> None:
    results(page, base, "superpixel")
    page.locator("ul.search p.context").first.wait_for(timeout=SLOWEST)
    excerpt = page.locator("ul.search p.context").first.inner_text()
    assert "superpixel" in excerpt.lower()
    assert "import " not in excerpt
    assert "Contents" not in excerpt


@pytest.mark.parametrize(
    ("query", "old", "new"),
    [("p-value", '"p-value"', '"q-value"'), ("PyTorch", '"pytorch"', '"torch"')],
)
def test_an_index_without_the_keyword_is_noticed(query, old, new, page, base) -> None:
    """The planted fault: the test above would see it."""
    page.route("**/searchindex.js*", lambda route: route.fulfill(
        content_type="text/javascript", body=route.fetch().text().replace(old, new)
    ))  # fmt: skip
    found = names(page, base, query)
    assert QUERIES[query] not in found[:FIRST]
