import 'i18next';
import type { startZhCN } from './start.zh-CN';
import type { zhCN } from './zh-CN';

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'translation';
    resources: { translation: typeof startZhCN & typeof zhCN };
  }
}
