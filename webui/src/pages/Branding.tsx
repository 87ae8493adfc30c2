import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Input } from 'tdesign-react';
import { api, call } from '../api/client';
import { asProblem, fieldErrors, type Problem } from '../api/problem';
import { keys } from '../api/queries';
import type { Component, ComponentUpdate } from '../api/types';
import { Button } from '../components/Button';
import { Field } from '../components/Field';
import { FilePick } from '../components/FilePick';
import { Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { useCan } from '../components/session';
import { toast } from '../components/toast';
import { useTexts } from '../components/useTexts';
import {
  dataUrl,
  isColor,
  logoTypes,
  longestLogo,
  type PictureTrouble,
  pictureTrouble,
  sizeOf,
  textOn,
  widestLogo,
} from '../logic/picture';

/** usualColor is that of the merchants' pages while none is chosen. */
const usualColor = '#0052d9';

interface PreviewProps {
  name: string;
  about: string;
  logo: string;
  color: string;
}

/** Preview is the page that a merchant opens, in small. */
function Preview({ name, about, logo, color }: PreviewProps) {
  const { t } = useTranslation();
  const shown = name || t('branding.unnamed');
  return (
    <figure className="brandpreview" data-testid="brand-preview">
      <figcaption>{t('branding.preview')}</figcaption>
      <div className="brandpreview__page">
        <div className="brandpreview__head">
          {logo ? (
            <img src={logo} alt="" data-testid="preview-logo" />
          ) : (
            <svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" style={{ color }}>
              <path
                d="M12 2.5 4.5 5.6v5.6c0 4.7 3.1 8.8 7.5 10.3 4.4-1.5 7.5-5.6 7.5-10.3V5.6L12 2.5Z"
                fill="currentColor"
              />
              <path
                d="m8.4 12.1 2.5 2.5 4.9-5.1"
                fill="none"
                stroke="#fff"
                strokeWidth="1.8"
                strokeLinecap="round"
                strokeLinejoin="round"
              />
            </svg>
          )}
          <b>{shown}</b>
        </div>
        <strong>{t('branding.previewTitle', { name: shown })}</strong>
        {about && <p>{about}</p>}
        <p className="muted">{t('branding.previewLead')}</p>
        <span className="brandpreview__fact">
          <span className="muted">{t('branding.previewAccount')}</span> {t('kind.miniprogram')}
        </span>
        <span
          className="brandpreview__button"
          style={{ background: color, color: textOn(color) }}
          data-testid="preview-button"
        >
          {t('branding.previewButton')}
        </span>
      </div>
    </figure>
  );
}

/** BrandingPanel is how the platform looks to merchants. */
export function BrandingPanel({ component }: { component: Component }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const may = useCan('operator');
  const { texts, set, saved } = useTexts({ color: component.color });
  const { color } = texts;
  const [logo, setLogo] = useState<string | null>(null); // null: as it is; empty: none
  const [trouble, setTrouble] = useState<PictureTrouble | 'broken' | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const byField = problem ? fieldErrors(problem, ['color', 'logo']) : {};
  const typed = color.trim();
  const wrong = typed !== '' && !isColor(typed);
  const changed = typed !== component.color || logo !== null;
  const shownLogo = logo ?? component.logo_url;
  const shownColor = isColor(typed) ? typed : usualColor;

  async function pick(file: File) {
    const found = pictureTrouble(file, logoTypes, longestLogo);
    setTrouble(found);
    if (found) return;
    try {
      const url = await dataUrl(file);
      const { width, height } = await sizeOf(url);
      if (width > widestLogo || height > widestLogo) setTrouble('broken');
      else setLogo(url);
    } catch {
      setTrouble('broken');
    }
  }

  async function save(event: FormEvent) {
    event.preventDefault();
    if (busy || wrong || !changed) return;
    setBusy(true);
    setProblem(null);
    const body: ComponentUpdate = {};
    if (typed !== component.color) body.color = typed;
    if (logo !== null) body.logo = logo;
    try {
      const answer = await call(api.PUT('/component', { body }));
      client.setQueryData(keys.component, answer);
      saved(texts, { color: answer.color });
      setLogo((now) => (now === logo ? null : now));
      toast.success(t('common.saved'));
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy(false);
    }
  }

  return (
    <Panel title={t('branding.title')} hint={t('branding.hint')} testId="platform-branding">
      <div className="branding">
        <form onSubmit={(e) => void save(e)}>
          <fieldset className="form bare" disabled={!may}>
            <Field
              name="brand-color"
              group
              label={t('branding.color')}
              hint={t('branding.colorHint')}
              error={wrong ? t('branding.colorWrong') : byField.color}
            >
              <span className="inline">
                <input
                  type="color"
                  className="colorpick"
                  value={shownColor}
                  aria-label={t('branding.colorPick')}
                  onChange={(e) => set({ color: e.target.value })}
                />
                <Input value={color} onChange={(v) => set({ color: v })} placeholder={usualColor} disabled={!may} />
              </span>
            </Field>
            <Field
              name="brand-logo"
              group
              label={t('branding.logo')}
              hint={t('branding.logoHint')}
              error={trouble ? t(`branding.logoTrouble.${trouble}`) : byField.logo}
            >
              <span className="inline">
                {shownLogo ? (
                  <img className="logopick" src={shownLogo} alt={t('branding.logo')} />
                ) : (
                  <span className="faint">{t('branding.logoNone')}</span>
                )}
                {may && (
                  <>
                    <FilePick
                      name="logo"
                      label={t(shownLogo ? 'branding.logoChange' : 'branding.logoChoose')}
                      accept={logoTypes}
                      onPick={(file) => void pick(file)}
                    />
                    {shownLogo && (
                      <Button size="small" variant="text" theme="default" onClick={() => setLogo('')}>
                        {t('branding.logoRemove')}
                      </Button>
                    )}
                  </>
                )}
              </span>
            </Field>
            {problem && problem.errors.length === 0 && <ProblemPanel error={problem} />}
            {may && (
              <div>
                <Button type="submit" loading={busy} disabled={!changed || wrong} data-testid="save-branding">
                  {t('common.save')}
                </Button>
              </div>
            )}
          </fieldset>
        </form>
        <Preview name={component.name} about={component.description} logo={shownLogo} color={shownColor} />
      </div>
    </Panel>
  );
}
