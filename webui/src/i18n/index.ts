import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { setApiLanguage } from '../api/client';
import { chooseLanguage, type Language } from './language';
import { zhCN } from './zh-CN';

const remembered = 'wxsteward.language';

function stored(): string | null {
  try {
    return localStorage.getItem(remembered);
  } catch {
    return null; // storage may be forbidden
  }
}

async function load(language: Language) {
  if (language === 'en' && !i18next.hasResourceBundle('en', 'translation')) {
    const { en } = await import('./en');
    i18next.addResourceBundle('en', 'translation', en);
  }
}

function tell(language: Language) {
  document.documentElement.lang = language;
  setApiLanguage(language);
}

export async function startI18n(): Promise<void> {
  const language = chooseLanguage(stored(), navigator.languages);
  await i18next.use(initReactI18next).init({
    lng: 'zh-CN',
    fallbackLng: 'zh-CN',
    resources: { 'zh-CN': { translation: zhCN } },
    interpolation: { escapeValue: false },
    returnNull: false,
  });
  if (language === 'en') {
    await load('en');
    await i18next.changeLanguage('en');
  }
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
