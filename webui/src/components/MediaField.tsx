import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { CloseIcon } from 'tdesign-icons-react';
import { newIdempotencyKey, request } from '../api/client';
import type { AuditMedia } from '../api/types';
import { FilePick } from './FilePick';
import { ProblemPanel } from './ProblemPanel';

interface Props {
  name: string;
  label: string;
  accept: readonly string[];
  value: AuditMedia[];
  most: number;
  /** onChange gets how the list changes: an upload that ends late must not undo what was done meanwhile. */
  onChange: (edit: (now: AuditMedia[]) => AuditMedia[]) => void;
}

/** MediaField uploads files for WeChat's reviewers one by one and lists them. */
export function MediaField({ name, label, accept, value, most, onChange }: Props) {
  const { t } = useTranslation();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  async function upload(file: File) {
    setBusy(true);
    setError(null);
    try {
      const body = new FormData();
      body.append('file', file);
      const response = await request('/api/v1/audit-media', {
        method: 'POST',
        headers: { 'Idempotency-Key': newIdempotencyKey() },
        body,
      });
      const media = (await response.json()) as AuditMedia;
      onChange((now) => [...now, media]);
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }

  return (
    <div className="media" data-testid={`media-${name}`}>
      {value.length > 0 && (
        <ul className="media__list">
          {value.map((m) => (
            <li key={m.media_id} className="pill">
              {m.name}
              <button
                type="button"
                aria-label={t('audits.form.removeFile', { name: m.name })}
                onClick={() => onChange((now) => now.filter((x) => x.media_id !== m.media_id))}
              >
                <CloseIcon />
              </button>
            </li>
          ))}
        </ul>
      )}
      {error !== null && <ProblemPanel compact error={error} />}
      <FilePick
        name={name}
        label={label}
        accept={accept}
        loading={busy}
        disabled={value.length >= most}
        onPick={(file) => void upload(file)}
      />
    </div>
  );
}
