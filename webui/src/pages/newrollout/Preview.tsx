import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { previewQuery } from '../../api/planning';
import { authorizersQuery } from '../../api/queries';
import type { Preview as Previewed } from '../../api/types';
import { Combo } from '../../components/Combo';
import { itemsOf } from '../../components/DataList';
import { Panel } from '../../components/PageHead';
import { EmptyNote, QueryView } from '../../components/QueryView';
import { Segmented } from '../../components/Segmented';
import { useSettled } from '../../components/useSettled';
import { diffLines, folded, settled } from '../../logic/diff';
import { checkExtJson, type RolloutForm } from '../../logic/rollout';
import { Blockers } from './Blockers';
import { useTargets } from './TargetsStep';

function Difference({ before, after }: { before: string; after: string }) {
  const { t } = useTranslation();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must get there.
    <pre className="code code--list diff" tabIndex={0} data-testid="preview-diff">
      {folded(diffLines(before, after)).map((line, i) =>
        line.kind === 'gap' ? (
          <span key={i} className="diff__gap">
            {t('wizard.gap', { n: line.count })}
          </span>
        ) : (
          <span key={i} className={`diff__${line.kind}`}>
            {line.kind !== 'same' && (
              <span className="offscreen">{line.kind === 'gone' ? t('wizard.gone') : t('wizard.added')}</span>
            )}
            {line.text}
          </span>
        ),
      )}
    </pre>
  );
}

function Result({ preview }: { preview: Previewed }) {
  const { t } = useTranslation();
  const [view, setView] = useState<'diff' | 'whole'>('diff');
  const after = settled(preview.ext_json);
  const before = preview.last_ext_json === null ? null : settled(preview.last_ext_json);
  const lines = before === null ? [] : diffLines(before, after);
  const count = (kind: 'added' | 'gone') => lines.filter((l) => l.kind === kind).length;
  const version = preview.last_user_version;
  const changed = before !== null && before !== after;
  return (
    <>
      <Blockers blockers={preview.problems ?? []} />
      {preview.ext_json === '' ? (
        <p className="muted">{t('wizard.previewNone')}</p>
      ) : (
        <>
          <p className="muted" role="status" data-testid="preview-words">
            {before === null
              ? t('wizard.previewFirst')
              : changed
                ? t('wizard.previewChanged', { version, added: count('added'), gone: count('gone') })
                : t('wizard.previewSame', { version })}
          </p>
          {changed && (
            <Segmented
              name="preview"
              label={t('wizard.preview')}
              value={view}
              onChange={setView}
              options={[
                { value: 'diff', label: t('wizard.diff') },
                { value: 'whole', label: t('wizard.whole') },
              ]}
            />
          )}
          {changed && view === 'diff' ? (
            <Difference before={before} after={after} />
          ) : (
            // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must get there.
            <pre className="code code--list" tabIndex={0} data-testid="preview-text">
              {after}
            </pre>
          )}
        </>
      )}
    </>
  );
}

/** Preview shows the ext_json of one merchant as it will be committed, beside what the merchant has. */
export function Preview({ form }: { form: RolloutForm }) {
  const { t } = useTranslation();
  const [picked, setPicked] = useState('');
  const [typed, setTyped] = useState('');
  const q = useSettled(typed);
  const { query: targets } = useTargets(form);
  const sample = targets.data?.sample ?? [];
  const found = useInfiniteQuery({
    ...authorizersQuery({ status: 'authorized', kind: 'miniprogram', q, limit: 20 }),
    enabled: q !== '',
  });
  const options = (q === '' ? sample : itemsOf(found)).map((m) => ({ value: m.appid, title: m.nick_name || m.appid }));
  const appid = picked || (sample[0]?.appid ?? '');
  const fine = checkExtJson(form.ext_json) === null;
  const ext = useSettled(fine ? form.ext_json.trim() : '');
  const query = useQuery({
    ...previewQuery(appid, form.template_id, ext),
    enabled: fine && appid !== '' && form.template_id !== null,
  });
  const shown = query.data;
  return (
    <Panel title={t('wizard.preview')} hint={t('wizard.previewHint')} testId="part-preview">
      <Combo
        name="preview-merchant"
        label={t('wizard.previewMerchant')}
        placeholder={t('wizard.previewChoose')}
        value={appid}
        text={
          options.find((o) => o.value === appid)?.title ?? (shown?.appid === appid ? shown.nick_name || appid : appid)
        }
        options={options}
        onType={setTyped}
        onPick={setPicked}
      />
      {appid === '' || form.template_id === null ? (
        <EmptyNote title={t('wizard.previewPick')} />
      ) : fine ? (
        <div className={query.isPlaceholderData ? 'stack faded' : 'stack'}>
          <QueryView query={query} rows={4}>
            {(preview) => <Result preview={preview} />}
          </QueryView>
        </div>
      ) : (
        <p className="muted">{t('wizard.previewNone')}</p>
      )}
    </Panel>
  );
}
