// What the browser tests find elements with; the frontend keeps everything in shadow roots.
// The value of this file is an object, which tests/e2e/browser.py puts into every page.
({
  // All elements under `root`, in shadow roots too.
  *walk(root) {
    for (const tree of [root.shadowRoot, root]) {
      for (const child of tree?.children ?? []) {
        yield child;
        yield* this.walk(child);
      }
    }
  },

  // The text of an element as somebody reads it.
  textOf(node) {
    if (node.nodeType === Node.TEXT_NODE) return node.textContent;
    if (node.nodeType !== Node.ELEMENT_NODE || ["STYLE", "SCRIPT"].includes(node.tagName)) return "";
    const inside = node.tagName === "SLOT" && node.assignedNodes().length
      ? node.assignedNodes()
      : (node.shadowRoot ?? node).childNodes;
    return Array.from(inside, (part) => this.textOf(part)).join("");
  },

  words(node) {
    return this.textOf(node).replace(/\s+/g, " ").trim();
  },

  isVisible(element) {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  },

  // The visible elements for a selector, outer ones first; with `text`, only those that read like that.
  // "a >> b": what matches b, anywhere inside of what matches a.
  all(selector, text = null) {
    let roots = [document];
    for (const part of selector.split(" >> ")) {
      roots = roots.flatMap((root) => [...this.walk(root)].filter((element) => element.matches(part)));
    }
    return [...new Set(roots)].filter((element) =>
      this.isVisible(element) && (text === null || this.words(element).includes(text)));
  },

  one(selector, text = null) {
    return this.all(selector, text)[0] ?? null;
  },

  // The middle of the first match, scrolled into view, once it is at rest and nothing lies over it.
  async spot(selector, text = null) {
    const element = this.one(selector, text);
    if (!element || element.disabled) return null;
    element.scrollIntoView({ block: "nearest" });
    const before = element.getBoundingClientRect();
    await new Promise((done) => setTimeout(done, 60));
    const { x, y, width, height } = element.getBoundingClientRect();
    if (x !== before.x || y !== before.y) return null;
    const middle = { x: x + width / 2, y: y + height / 2 };
    const top = this.topAt(middle.x, middle.y);
    return this.isWithin(top, element) || this.isWithin(element, top) ? middle : null;
  },

  // Whether a field has a value and keeps it; else it is emptied, if it is there.
  async holds(selector, value) {
    for (const pause of [50, 200]) {
      await new Promise((done) => setTimeout(done, pause));
      const field = this.one(selector);
      if (field?.value === value) continue;
      field?.select();
      document.execCommand("delete");
      return false;
    }
    return true;
  },

  // The part of the window that shows an element, with a margin.
  box(selector, margin) {
    const element = this.one(selector);
    if (!element) return null;
    const { left, top, right, bottom } = element.getBoundingClientRect();
    const x = Math.max(0, left - margin);
    const y = Math.max(0, top - margin);
    const width = Math.min(innerWidth, right + margin) - x;
    return { x, y, width, height: Math.min(innerHeight, bottom + margin) - y };
  },

  // What a click at a point of the window meets.
  topAt(x, y) {
    let top = document.elementFromPoint(x, y);
    for (;;) {
      const inner = top?.shadowRoot?.elementFromPoint(x, y);
      if (!inner || inner === top) return top;
      top = inner;
    }
  },

  // Whether an element is part of another one, through slots and shadow roots.
  isWithin(element, outer) {
    for (let node = element; node; node = node.assignedSlot ?? node.parentNode ?? node.host) {
      if (node === outer) return true;
    }
    return false;
  },

  // What `find` returns as soon as it is neither null nor false nor empty; null after `limit` milliseconds.
  async until(find, limit) {
    const end = performance.now() + limit;
    for (;;) {
      const found = await find();
      if (found) return found;
      if (performance.now() > end) return null;
      await new Promise((done) => setTimeout(done, 50));
    }
  },

  // Nothing is on its way any more: a spinner goes on for ever and does not count.
  async isAtRest() {
    // What has just changed begins to move with the next frame.
    for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
    const trees = [document, ...Array.from(this.walk(document), (element) => element.shadowRoot).filter(Boolean)];
    return !trees.flatMap((tree) => tree.getAnimations()).some((animation) =>
      animation.playState === "running" && Number.isFinite(animation.effect.getComputedTiming().endTime));
  },
})
