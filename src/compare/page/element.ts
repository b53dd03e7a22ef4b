type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** An element with attributes and children; texts are texts, never HTML. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: ReadonlyArray<Node | string>
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (value !== undefined && value !== false) made.setAttribute(key, value === true ? '' : String(value));
  made.append(...children);
  return made;
}

/** The same with what is done when it is clicked. */
export function button(text: string, act: () => void, attributes: Attributes = {}): HTMLButtonElement {
  const made = element('button', { type: 'button', ...attributes }, text);
  made.addEventListener('click', act);
  return made;
}

/** A control with its name before it. */
export function labelled(name: string, control: HTMLElement): HTMLLabelElement {
  return element('label', {}, element('span', {}, name), control);
}

/** A drop-down; groups that are empty are left out. */
export function dropDown(
  value: string,
  groups: ReadonlyArray<
    readonly [name: string, options: ReadonlyArray<readonly [value: string, text: string]>]
  >,
  choose: (value: string) => void,
): HTMLSelectElement {
  const option = ([id, text]: readonly [string, string]) =>
    element('option', { value: id, selected: id === value }, text);
  const made = element(
    'select',
    {},
    ...groups.flatMap(([name, options]) => {
      if (options.length === 0) return [];
      return name === ''
        ? options.map(option)
        : [element('optgroup', { label: name }, ...options.map(option))];
    }),
  );
  made.addEventListener('change', () => choose(made.value));
  return made;
}

/** A box to tick. */
export function tick(name: string, value: boolean, choose: (value: boolean) => void): HTMLLabelElement {
  const box = element('input', { type: 'checkbox', checked: value });
  box.addEventListener('change', () => choose(box.checked));
  return element('label', { class: 'tick' }, box, element('span', {}, name));
}
