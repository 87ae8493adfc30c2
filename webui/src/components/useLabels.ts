import { useTranslation } from 'react-i18next';
import { numberedKinds, plainKinds } from '../logic/links';
import { oneOf } from '../logic/oneof';
import { scopeName } from '../logic/scopes';

/** useLabels puts WeChat's numbers into words. */
export function useLabels() {
  const { t, i18n } = useTranslation();
  return {
    kind: (kind: string) => {
      const plain = oneOf(kind, plainKinds);
      if (plain) return t(`kind.${plain}`);
      const number = oneOf(kind, numberedKinds);
      return number ? t(`kind.n${number}`) : t('kind.other');
    },
    scope: (id: number) => scopeName(id, i18n.language) ?? t('authorizers.scopeUnknown', { id }),
    verify: (id?: number | null) => {
      if (id === null || id === undefined) return '';
      if (id < 0) return t('verifyType.none');
      return id === 0 ? t('verifyType.wechat') : t('verifyType.other', { id });
    },
    register: (id?: number | null) => {
      if (id === null || id === undefined) return '';
      const known: boolean = i18n.exists(`registerType.${id}`);
      return known ? t(`registerType.${id}` as 'registerType.0') : t('registerType.other', { id });
    },
    account: (id?: number | null) => {
      if (id === null || id === undefined) return '';
      const known: boolean = i18n.exists(`accountStatus.${id}`);
      return known ? t(`accountStatus.${id}` as 'accountStatus.1') : t('accountStatus.other', { id });
    },
  };
}
