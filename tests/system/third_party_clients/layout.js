/* Copyright (c) 2026, The sensible.qlik contributors
 * GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Returns what is wrong with the layout of a page: what must be scrolled sideways, text that is cut off or outside of
 * its box, words that are broken, and text with too little contrast. Everything is unfolded before. */
() => {
  const LONGEST_WORD = 24, CONTRAST = 4.5;
  for (const details of document.querySelectorAll("details")) details.open = true;
  const problems = [];
  const report = (problem, element, more = "") =>
    problems.push(`${problem}: <${element.localName} class="${element.className}"> ${more || element.innerText.slice(0, 60)}`);
  const isHidden = (element) => element.closest(".stack thead") && getComputedStyle(element.closest("thead")).position === "absolute";

  for (const element of [document.documentElement, ...document.body.querySelectorAll("*")]) {
    if (isHidden(element) || getComputedStyle(element).display.startsWith("inline")) continue;
    if (element.clientWidth && element.scrollWidth > element.clientWidth) report("too wide", element);
    if (getComputedStyle(element).overflowY === "hidden" && element.scrollHeight > element.clientHeight + 1) report("cut off", element);
  }

  const channels = (color) => (color.match(/[\d.]+/g) || []).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (element) => {
    for (; element; element = element.parentElement) {
      const color = getComputedStyle(element).backgroundColor;
      if (channels(color)[3] !== 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const contrast = (element) => {
    const [dark, light] = [getComputedStyle(element).color, background(element)].map(luminance).sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const element = node.parentElement;
    if (!node.data.trim() || isHidden(element)) continue;
    if (contrast(element) < CONTRAST) report(`contrast ${contrast(element).toFixed(1)}`, element);
    const box = element.closest("li, td, th, dd, dt, .card, summary, header, main, footer").getBoundingClientRect();
    for (const { 0: word, index } of node.data.matchAll(/[\p{L}\p{N}]+/gu)) {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      const rectangles = [...range.getClientRects()];
      if (word.length <= LONGEST_WORD && new Set(rectangles.map((one) => Math.round(one.top))).size > 1) report("broken word", element, word);
      if (rectangles.some((one) => one.left < box.left - 1 || one.right > box.right + 1)) report("outside of its box", element, word);
    }
  }
  return problems;
};
