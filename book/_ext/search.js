// How the book's search ranks what it finds, and what it shows of it. Part of language_data.js; see search_index.py.

const PAGES = READING_ORDER;  // filled in by the build
const QUERY = (new URLSearchParams(window.location.search).get("q") || "").toLowerCase();
const WORDS = [...new Set(QUERY.split(/[^\p{L}\p{N}]+/u).filter((word) => word.length > 2))];
const MOST = 15;
const NO_PROSE = ".headerlink, script, style, pre, table, .cell_input, h1";

// As Sphinx has it, but words in headings count more, and `score` is asked.
var Scorer = {
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 20,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
  // The more of the query stands in the title, the better; a tie goes to the earlier page.
  score: ([page, title, , , score]) => {
    const lower = title.toLowerCase();
    const share = WORDS.filter((word) => lower.includes(word)).length / (WORDS.length || 1);
    return score + 20 * share - PAGES.indexOf(page) / 1000;
  },
};

// A page from the disk may not read other pages.
if (window.location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

if (typeof Search !== "undefined") {
  // The page of every result is read for its excerpt: only the best are shown, which stand last in Sphinx's list.
  const all = Search._performSearch;
  Search._performSearch = (...query) => all(...query).slice(-MOST);

  Search.htmlToText = (text, anchor) => {
    const article = new DOMParser().parseFromString(text, "text/html").querySelector("article");
    if (!article) return "";
    article.querySelectorAll(NO_PROSE).forEach((one) => one.remove());
    const part = anchor && article.querySelector(anchor);
    return (part || article).textContent.replace(/\\[()[\]]/g, "").replace(/\s+/g, " ").trim();
  };
}
