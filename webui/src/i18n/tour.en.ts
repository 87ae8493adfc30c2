import type { tourZhCN } from './tour.zh-CN';

/** Texts of the tour in the simulation. */
export const tourEn: typeof tourZhCN = {
  tour: {
    title: 'Take the tour: from consent to release',
    intro:
      'This is a simulation: WeChat and the merchants are played by the simulator. It takes about five minutes from a merchant’s consent to a new version in front of its users.',
    done: 'That was it: a merchant has the new version. On a real platform the steps are the same; only the reviewer is WeChat.',
    hide: 'Put the tour away',
    goOn: 'Go',
    finished: 'done',
    steps: {
      authorize: 'Have a merchant authorize',
      rollout: 'Roll a template out to it',
      review: 'Play the reviewer and approve',
      released: 'See it released',
    },
    hints: {
      authorize:
        'Make an authorization link, open it, choose a merchant that has not authorized yet and agree. The page shows the result by itself.',
      rollout: 'Choose a template and the merchant that has just authorized, check, then start.',
      review: 'In the simulator, under Audits, approve the version in review. A real review usually takes hours.',
      released: 'Open the rollout and watch each step. This is ticked once the version is live.',
    },
  },
};
