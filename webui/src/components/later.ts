import { type ComponentType, lazy } from 'react';
import { allTexts } from '../i18n';

/** later is a page that is loaded when it is first shown, and with it the texts that the first page does without. */
export function later<P extends object>(load: () => Promise<{ default: ComponentType<P> }>) {
  return lazy(async () => {
    const [page] = await Promise.all([load(), allTexts()]);
    return page;
  });
}
