// Making nodes, and keeping them true. Nothing here reads markup: text is always a text node, whatever is in it.

// element('td', { class: 'x' }, 'text', node); an attribute or a child that is null is left out.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}

// Only what changed is written, so that nothing flickers and readers are not told the same again.
export function set(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Makes the children of `node` like `wanted`, nodes that nothing else holds. Those that are so already stay what they
// are, and keep the focus.
export function fill(node, wanted) {
  wanted.filter((child) => child !== null).forEach((child, index) => {
    const old = node.childNodes[index];
    if (old === undefined) node.append(child);
    else if (old.nodeName !== child.nodeName) old.replaceWith(child);
    else if (child.nodeType === Node.TEXT_NODE) set(old, child.textContent);
    else become(old, child);
  });
  const count = wanted.filter((child) => child !== null).length;
  while (node.childNodes.length > count) node.lastChild.remove();
}

function become(node, wanted) {
  for (const { name } of [...node.attributes]) if (!wanted.hasAttribute(name)) node.removeAttribute(name);
  for (const { name, value } of wanted.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  fill(node, [...wanted.childNodes]);
}
