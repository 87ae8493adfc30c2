import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { setApiLanguage } from '../api/client';
import { chooseLanguage, type Language } from './language';

const remembered = 'wxsteward.language';

function stored(): string | null {
  try {
    return localStorage.getItem(remembered);
  } catch {
    return null; // storage may be forbidden
  }
}

const parts = {
  start: {
    'zh-CN': async () => (await import('./start.zh-CN')).startZhCN,
    en: async () => (await import('./start.en')).startEn,
  },
  rest: {
    'zh-CN': async () => (await import('./zh-CN')).zhCN,
    en: async () => (await import('./en')).en,
  },
};

// What the pages shown so far need, and in which languages. Both grow while something loads.
const needed: (keyof typeof parts)[] = ['start'];
const spoken = new Set<Language>();

async function load(language: Language) {
  spoken.add(language);
  for (const part of needed) {
    i18next.addResourceBundle(language, 'translation', await parts[part][language](), true);
  }
}

/** allTexts is done when the texts of every page are there, not only those of the first. */
export async function allTexts(): Promise<void> {
  if (!needed.includes('rest')) needed.push('rest');
  await Promise.all([...spoken].map(load));
}

function tell(language: Language) {
  document.documentElement.lang = language;
  setApiLanguage(language);
}

export async function startI18n(): Promise<void> {
  const language = chooseLanguage(stored(), navigator.languages);
  await i18next.use(initReactI18next).init({
    lng: language,
    fallbackLng: false,
    resources: {},
    interpolation: { escapeValue: false },
    returnNull: false,
  });
  await load(language);
  tell(language);
}

export async function switchLanguage(language: Language): Promise<void> {
  await load(language);
  await i18next.changeLanguage(language);
  tell(language);
  try {
    localStorage.setItem(remembered, language);
  } catch {
    // Then the choice lasts until the page is closed.
  }
}
