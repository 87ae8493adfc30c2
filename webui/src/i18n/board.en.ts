import type { boardZhCN } from './board.zh-CN';

/** Texts of a rollout's page: rolling back, changing, gray releases. */
export const boardEn: typeof boardZhCN = {
  board: {
    kindRollback: 'Rollback',
    ofRollout: 'Takes rollout {{id}} back',
    heldUntil: 'Some merchants wait for a quota or a window of WeChat’s; they go on {{time}}.',
    waits: 'Waits now: ',
    pace: 'About {{n}} an hour come to an end, the last {{time}}',
    exportCsv: 'Export CSV',
    gray: 'Gray release',
    grayNone: 'To all users at once',
    graySteps: '{{steps}} then everybody',
    grayEvery: 'a step every {{interval}}',
    grayByHand: 'each step by hand',
    grayNow: '{{percentage}}% of the users have it (step {{step}} of {{steps}})',
    grayNext: 'Next step: ',
    grayHand: 'The next step waits to be released by hand',
    rollbackFromTo: 'from {{from}} back to {{to}}',
    submitAgain: 'Edit and resubmit',
    rollback: 'Roll back',
    rollbackTitle: 'Take these merchants back to their version before',
    rollbackIntro:
      'This makes a new rollout that takes each merchant back to the version it had before this one. WeChat’s rules: only recent live versions can be gone back to, none of them twice, and a rollback cannot be rolled back; another version then needs a new rollout.',
    rollbackCheck: 'See who can go back',
    rollbackChecking: 'Asking WeChat for each merchant’s history…',
    rollbackReady: 'can go back',
    rollbackBlocked: 'cannot',
    rollbackStart: 'Roll {{n}} merchants back',
    rollbackNone: 'No merchant can go back',
    rollbackHint: 'The live version changes at once, without a review.',
    rollbackConfirm: 'Roll the live version of {{n}} merchants back?',
    edit: 'Edit',
    editTitle: 'Change what has not happened yet',
    editIntro: 'Steps under way are not touched. Version, merchants and ext_json stay.',
    editWindowNow: 'Empty: at any time.',
  },
};
