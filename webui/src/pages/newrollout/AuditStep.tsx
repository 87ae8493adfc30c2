import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Checkbox, Input } from 'tdesign-react';
import { labelsQuery } from '../../api/merchants';
import { Field } from '../../components/Field';
import { FieldError } from '../../components/FieldError';
import { MediaField } from '../../components/MediaField';
import { Panel } from '../../components/PageHead';
import { Segmented } from '../../components/Segmented';
import { TagsField } from '../../components/TagsField';
import { TextArea } from '../../components/TextArea';
import type { RolloutForm } from '../../logic/rollout';
import { AuditPages } from './AuditPages';
import type { PartProps } from './parts';
import { UgcPart } from './UgcPart';

const images = ['image/png', 'image/jpeg', 'image/gif'];

/** hasMore says whether something is filled in that is not shown at first. */
function hasMore(form: RolloutForm): boolean {
  const texts = [form.feedback_info, form.order_path];
  const lists = [form.feedback_stuff, form.pages];
  return (
    form.privacy_api_not_use ||
    form.ugc.mode !== 'keep' ||
    texts.some((text) => text.trim() !== '') ||
    lists.some((list) => list.length > 0)
  );
}

function More(props: PartProps) {
  const { form, change, errorOf } = props;
  const { t } = useTranslation();
  return (
    <>
      <AuditPages {...props} />
      <Field name="order-path" label={t('newRollout.orderPath')} error={errorOf('audit.order_path')}>
        <Input
          value={form.order_path}
          onChange={(order_path) => change({ order_path })}
          placeholder="pages/order/list"
        />
      </Field>
      <Field
        name="feedback"
        label={t('newRollout.feedback')}
        hint={t('newRollout.feedbackHint')}
        error={errorOf('audit.feedback_info')}
      >
        <TextArea
          rows={2}
          maxLength={200}
          value={form.feedback_info}
          onChange={(feedback_info) => change({ feedback_info })}
        />
      </Field>
      <Field name="feedback-pictures" group label={t('audits.form.pictures')} hint={t('audits.form.picturesHint')}>
        <MediaField
          name="feedback"
          label={t('audits.form.upload')}
          accept={images}
          most={5}
          value={form.feedback_stuff}
          onChange={(edit) => change((now) => ({ feedback_stuff: edit(now.feedback_stuff) }))}
        />
        <FieldError text={errorOf('audit.feedback_stuff')} />
      </Field>
      <UgcPart {...props} />
      <Checkbox checked={form.privacy_api_not_use} onChange={(on) => change({ privacy_api_not_use: on })}>
        {t('newRollout.privacyApiNotUse')}
      </Checkbox>
    </>
  );
}

/** AuditStep says how and with what the version goes to WeChat's reviewers. */
export function AuditStep(props: PartProps) {
  const { form, change, errorOf } = props;
  const { t } = useTranslation();
  const [more, setMore] = useState(() => hasMore(form));
  const labels = useQuery(labelsQuery());
  return (
    <Panel title={t('wizard.step.audit')} testId="part-audit">
      <div className="form">
        <Field name="submit" group label={t('newRollout.submitMode')}>
          <Segmented
            name="submit"
            label={t('newRollout.submitMode')}
            value={form.submit}
            onChange={(submit) => change({ submit })}
            options={[
              { value: 'auto', label: t('newRollout.submitAuto') },
              { value: 'manual', label: t('newRollout.submitManual') },
            ]}
          />
        </Field>
        <Field
          name="version-desc"
          label={t('newRollout.versionDesc')}
          hint={t('newRollout.versionDescHint')}
          error={errorOf('audit.version_desc')}
        >
          <TextArea rows={3} value={form.version_desc} onChange={(version_desc) => change({ version_desc })} />
        </Field>
        <Field name="preview-media" group label={t('wizard.preview_info')} hint={t('wizard.previewInfoHint')}>
          <MediaField
            name="preview"
            label={t('audits.form.uploadMedia')}
            accept={[...images, 'video/mp4']}
            most={10}
            value={form.preview}
            onChange={(edit) => change((now) => ({ preview: edit(now.preview) }))}
          />
          <FieldError text={errorOf('audit.preview_info')} />
        </Field>
        <Field
          name="speed-up"
          group
          label={t('wizard.speedUp')}
          hint={t('wizard.speedUpHint')}
          error={errorOf('audit.speed_up_labels')}
        >
          <TagsField
            label={t('wizard.speedUp')}
            value={form.speed_up_labels}
            onChange={(speed_up_labels) => change({ speed_up_labels })}
            placeholder={t('newRollout.labelsPlaceholder')}
            suggestions={labels.data?.items?.map((l) => l.label)}
          />
        </Field>
        <div>
          <Checkbox checked={form.withdraw_running} onChange={(on) => change({ withdraw_running: on })}>
            {t('wizard.withdrawRunning')}
          </Checkbox>
          <div className="field__hint">{t('wizard.withdrawRunningHint')}</div>
        </div>
        <button
          type="button"
          className="disclosure"
          aria-expanded={more}
          onClick={() => setMore(!more)}
          data-testid="more-audit"
        >
          {t('newRollout.moreAudit')}
        </button>
        {more && <More {...props} />}
      </div>
    </Panel>
  );
}
