import type { Component, SelectOption } from "./types.ts";

/** A field of a form, whether it stands in an action row or in a label. */
export interface ModalField {
  id: string;
  label: string;
  description?: string;
  placeholder?: string;
  value: string;
  required: boolean;
  /** Fewest and most characters. */
  least: number;
  most: number;
  paragraph: boolean;
  /** Set for a menu. */
  options?: SelectOption[];
}

const LABEL = 18;
const TEXT_INPUT = 4;
const STRING_SELECT = 3;
const PARAGRAPH = 2;
/** Discord's limit for a text input. Characters. */
const TEXT_MAX = 4000;

export function modalFields(components: readonly Component[]): ModalField[] {
  return components.flatMap((component) => {
    if (component.type === LABEL) {
      const { component: inner, label, description } = component;
      return inner === undefined ? [] : fieldOf({ ...inner, label, description });
    }
    return (component.components ?? []).flatMap(fieldOf);
  });
}

function fieldOf(component: Component): ModalField[] {
  const { type, custom_id: id, label = "", description, placeholder, value = "", style, options } = component;
  if (id === undefined || (type !== TEXT_INPUT && type !== STRING_SELECT)) return [];
  const limits = { least: component.min_length ?? 0, most: component.max_length ?? TEXT_MAX };
  return [
    {
      id,
      label,
      ...(description === undefined ? {} : { description }),
      ...(placeholder === undefined ? {} : { placeholder }),
      value,
      required: component.required ?? true,
      paragraph: style === PARAGRAPH,
      ...limits,
      ...(type === STRING_SELECT ? { options: options ?? [] } : {}),
    },
  ];
}

/** What is wrong with the text of a field, or null. */
export function fieldProblem({ required, least, most }: ModalField, value: string): string | null {
  const { length } = value;
  if (length === 0) return required ? "This is required." : null;
  if (length < least) return `Must be ${least} or more in length.`;
  if (length > most) return `Must be ${most} or fewer in length.`;
  return null;
}
