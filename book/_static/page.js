// What a page needs besides its theme: formulas that scroll are within reach of the keyboard, and
// `?print=solutions` prints a page with hints and solutions, which otherwise stay out of print.
(() => {
  const reach = () => {
    const boxes = 'article div.math, article mjx-container[display="true"]';
    for (const box of document.querySelectorAll(boxes)) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  const open = () => {
    for (const one of document.querySelectorAll("article details.solution, article details.sd-dropdown"))
      one.open = true;
  };
  document.addEventListener("DOMContentLoaded", () => {
    const asked = new URLSearchParams(location.search).get("print");
    if (asked) document.documentElement.dataset.print = asked;
    if (asked === "solutions") window.addEventListener("beforeprint", open);
    const article = document.querySelector("article");
    if (article) new ResizeObserver(reach).observe(article);
    window.MathJax?.startup?.promise.then(reach);
  });
})();
