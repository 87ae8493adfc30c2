import i18next from 'i18next';
import { MessagePlugin } from 'tdesign-react';
import { asProblem } from '../api/problem';

/** toast shows a short note on top of the page. */
export const toast = {
  success: (text: string) => void MessagePlugin.success(text, 2500),
  error: (text: string) => void MessagePlugin.error(text, 6000),
  problem: (thrown: unknown, fallback: string) => {
    const problem = asProblem(thrown);
    const { errcode, rid, hint } = problem.wechat ?? {};
    const network = problem.code === 'network';
    const words = [
      network ? i18next.t('problem.network') : problem.title || fallback,
      network ? i18next.t('problem.networkDetail') : problem.detail,
      hint,
      errcode && `${i18next.t('problem.errcode')} ${errcode}`,
      rid && `rid ${rid}`,
    ];
    // Long enough to read, and it can be closed before.
    void MessagePlugin.error({
      content: [...new Set(words.filter(Boolean))].join(' · '),
      duration: 12_000,
      closeBtn: true,
    });
  },
};
