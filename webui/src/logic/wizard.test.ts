import { describe, expect, it } from 'vitest';
import { checkForm } from './rollout';
import { emptyDraft, readDraft, stepOf, stepState, steps, told, untouched, withWishes, writeDraft } from './wizard';

describe('a step of the wizard', () => {
  it('owns every field that the form can find wrong', () => {
    const form = {
      ...emptyDraft().form,
      setDomains: true,
      setPrivacy: true,
      canary: 'x',
      gray: 'x',
      ext_json: '[]',
      ugc: { mode: 'some' as const, scenes: [], methods: [], team: false, desc: '' },
    };
    form.domains = { ...form.domains, tcp: 'x' };
    const found = new Set(Object.keys(checkForm(form)).map(stepOf));
    expect([...found].sort()).toEqual(['audit', 'release', 'settings', 'targets', 'template', 'version']);
    expect(stepOf('something.else')).toBe('check');
  });

  it('tells what is missing once it was left, what is wrong at once', () => {
    const form = { ...emptyDraft().form, canary: 'x' };
    const errors = checkForm(form);
    expect(Object.keys(told(errors, []))).toEqual(['strategy.canary']);
    expect(Object.keys(told(errors, ['targets'])).sort()).toEqual(['strategy.canary', 'targets']);
  });

  it('is wrong before all else, done once left without a mistake', () => {
    expect(stepState('targets', 'targets', [], ['targets'])).toBe('wrong');
    expect(stepState('targets', 'targets', [], [])).toBe('current');
    expect(stepState('settings', 'check', ['settings'], ['name'])).toBe('done');
    expect(stepState('audit', 'targets', [], [])).toBe('open');
  });
});

describe('a draft', () => {
  const draft = emptyDraft();
  draft.form.name = 'autumn';
  draft.left = ['template'];

  it('outlives a reload', () => {
    expect(readDraft(writeDraft('ann', draft), 'ann')).toEqual(draft);
    expect(untouched(draft)).toBe(false);
    expect(untouched(readDraft(null, 'ann'))).toBe(true);
  });
  it('keeps what was written when another page asks for something', () => {
    const wished = withWishes(draft, { appids: ['wx1'], targetMode: 'pick' }, 'version');
    expect(wished.form).toEqual({ ...draft.form, appids: ['wx1'], targetMode: 'pick' });
    expect(wished.left).toEqual(['template', 'targets']);
  });
  it('is not shown to another user', () => {
    expect(untouched(readDraft(writeDraft('ann', draft), 'bob'))).toBe(true);
  });
  it('of an older or broken program is filled up or forgotten', () => {
    const old = JSON.stringify({ user: 'ann', form: { name: 'autumn' }, left: ['gone', steps[0]] });
    expect(readDraft(old, 'ann')).toEqual({
      ...emptyDraft(),
      form: { ...emptyDraft().form, name: 'autumn' },
      left: ['template'],
    });
    expect(untouched(readDraft('{', 'ann'))).toBe(true);
    expect(untouched(readDraft('null', 'ann'))).toBe(true);
  });
});
