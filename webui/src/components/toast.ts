import { MessagePlugin } from 'tdesign-react';
import { asProblem } from '../api/problem';

/** toast shows a short note on top of the page. */
export const toast = {
  success: (text: string) => void MessagePlugin.success(text, 2500),
  error: (text: string) => void MessagePlugin.error(text, 6000),
  problem: (thrown: unknown, fallback: string) => {
    const problem = asProblem(thrown);
    const hint = problem.wechat?.hint;
    void MessagePlugin.error([problem.detail || problem.title || fallback, hint].filter(Boolean).join(' · '), 8000);
  },
};
