import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Input } from 'tdesign-react';
import { resubmitMany } from '../api/audits';
import { keys } from '../api/queries';
import type { AuditChange, AuditMedia, ManyAnswer } from '../api/types';
import { Button } from '../components/Button';
import { Field } from '../components/Field';
import { ManyResult } from '../components/ManyResult';
import { MediaField } from '../components/MediaField';
import { ProblemPanel } from '../components/ProblemPanel';
import { Segmented } from '../components/Segmented';
import { TextArea } from '../components/TextArea';
import { useSaving } from '../components/useSaving';

interface Props {
  ids: string[];
  nameOf: (id: string) => string;
  onClose: () => void;
}

const images = ['image/png', 'image/jpeg', 'image/gif'];

interface Form {
  versionDesc: string;
  feedback: string;
  pictures: AuditMedia[];
  preview: AuditMedia[];
  orderPath: string;
  notUsed: '' | 'yes' | 'no';
}

/** changeOf leaves out what was not touched: the server keeps that as last submitted. */
export function changeOf(form: Form): AuditChange {
  const change: AuditChange = {};
  if (form.versionDesc.trim() !== '') change.version_desc = form.versionDesc.trim();
  if (form.feedback.trim() !== '') change.feedback_info = form.feedback.trim();
  if (form.pictures.length > 0) change.feedback_stuff = form.pictures.map((m) => m.media_id);
  if (form.preview.length > 0) {
    const of = (type: AuditMedia['type']) => form.preview.filter((m) => m.type === type).map((m) => m.media_id);
    change.preview_info = { pic_id_list: of('image'), video_id_list: of('video') };
  }
  if (form.orderPath.trim() !== '') change.order_path = form.orderPath.trim();
  if (form.notUsed !== '') change.privacy_api_not_use = form.notUsed === 'yes';
  return change;
}

/** Resubmit changes what the reviewers see and submits the present trial versions again. */
export function Resubmit({ ids: first, nameOf, onClose }: Props) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [ids, setIds] = useState(first);
  const [form, setForm] = useState<Form>({
    versionDesc: '',
    feedback: '',
    pictures: [],
    preview: [],
    orderPath: '',
    notUsed: '',
  });
  const { busy, error, run } = useSaving();
  const [answer, setAnswer] = useState<ManyAnswer | null>(null);
  const change = (part: Partial<Form>) => setForm((old) => ({ ...old, ...part }));

  async function submit() {
    await run(async () => {
      setAnswer(await resubmitMany(ids, changeOf(form)));
      await client.invalidateQueries({ queryKey: keys.submissions });
    });
  }

  if (answer) {
    return (
      <ManyResult
        answer={answer}
        nameOf={nameOf}
        onClose={onClose}
        onAgain={(again) => {
          setIds(again);
          setAnswer(null);
        }}
      />
    );
  }
  const untouched = Object.keys(changeOf(form)).length === 0;
  return (
    <form
      className="form"
      onSubmit={(e) => {
        e.preventDefault();
        void submit();
      }}
      data-testid="resubmit-form"
    >
      <p className="muted">{t('audits.form.intro')}</p>
      <Field name="version-desc" label={t('audits.form.versionDesc')} hint={t('audits.form.versionDescHint')}>
        <TextArea rows={3} value={form.versionDesc} onChange={(versionDesc) => change({ versionDesc })} />
      </Field>
      <Field name="feedback" label={t('audits.form.feedback')} hint={t('audits.form.feedbackHint')}>
        <TextArea rows={3} maxLength={200} value={form.feedback} onChange={(feedback) => change({ feedback })} />
      </Field>
      <Field name="pictures" group label={t('audits.form.pictures')} hint={t('audits.form.picturesHint')}>
        <MediaField
          name="pictures"
          label={t('audits.form.upload')}
          accept={images}
          most={5}
          value={form.pictures}
          onChange={(edit) => setForm((now) => ({ ...now, pictures: edit(now.pictures) }))}
        />
      </Field>
      <Field name="preview" group label={t('audits.form.preview')} hint={t('audits.form.previewHint')}>
        <MediaField
          name="preview"
          label={t('audits.form.uploadMedia')}
          accept={[...images, 'video/mp4']}
          most={10}
          value={form.preview}
          onChange={(edit) => setForm((now) => ({ ...now, preview: edit(now.preview) }))}
        />
      </Field>
      <Field name="order-path" label={t('audits.form.orderPath')}>
        <Input
          value={form.orderPath}
          onChange={(orderPath) => change({ orderPath })}
          placeholder={t('audits.form.same')}
        />
      </Field>
      <Field name="not-used" group label={t('audits.form.notUsed')}>
        <Segmented
          name="not-used"
          label={t('audits.form.notUsed')}
          value={form.notUsed}
          onChange={(notUsed) => change({ notUsed })}
          options={[
            { value: '', label: t('audits.form.notUsedKeep') },
            { value: 'yes', label: t('audits.form.notUsedYes') },
            { value: 'no', label: t('audits.form.notUsedNo') },
          ]}
        />
      </Field>
      {error !== null && <ProblemPanel error={error} />}
      {untouched && <p className="faint">{t('audits.form.nothing')}</p>}
      <div className="buttons">
        <Button type="submit" loading={busy} data-testid="resubmit-send">
          {t('audits.form.submit', { n: ids.length })}
        </Button>
        <Button variant="outline" theme="default" onClick={onClose}>
          {t('common.cancel')}
        </Button>
      </div>
    </form>
  );
}
