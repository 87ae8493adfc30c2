export type Language = 'zh-CN' | 'en';

/** chooseLanguage takes the remembered choice, else the first browser language we have, else Chinese. */
export function chooseLanguage(remembered: string | null, preferred: readonly string[]): Language {
  if (remembered === 'zh-CN' || remembered === 'en') return remembered;
  for (const tag of preferred) {
    const primary = tag.toLowerCase().split('-')[0];
    if (primary === 'zh') return 'zh-CN';
    if (primary === 'en') return 'en';
  }
  return 'zh-CN';
}
