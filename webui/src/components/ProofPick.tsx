import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { sendMedia } from '../api/operations';
import { longestPicture, type PictureTrouble, pictureTrouble, pictureTypes } from '../logic/picture';
import { Button } from './Button';
import { Field } from './Field';
import { FilePick } from './FilePick';
import { ProblemPanel } from './ProblemPanel';

interface Props {
  appid: string;
  label: string;
  /** value are media_ids of pictures that WeChat keeps for three days. */
  value: string[];
  /** onChange gets how the list changes: an upload that ends late must not undo what was done meanwhile. */
  onChange: (edit: (now: string[]) => string[]) => void;
  most: number;
  name: string;
}

/** ProofPick uploads pictures that prove something to WeChat. */
export function ProofPick({ appid, label, value, onChange, most, name }: Props) {
  const { t } = useTranslation();
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<PictureTrouble | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [files, setFiles] = useState<Record<string, string>>({});

  async function pick(file: File) {
    const found = pictureTrouble(file, pictureTypes, longestPicture);
    setTrouble(found);
    setError(null);
    if (found) return;
    setBusy(true);
    try {
      const id = await sendMedia(appid, file);
      setFiles((now) => ({ ...now, [id]: file.name }));
      onChange((now) => [...now, id]);
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }

  return (
    <Field name={name} group label={label} error={trouble ? t(`ops.pictureTrouble.${trouble}`) : undefined}>
      {value.map((id) => (
        <span key={id} className="upload" data-testid={`uploaded-${name}`}>
          <span>
            {t('ops.uploaded')} {files[id]}
          </span>
          <Button
            size="small"
            variant="text"
            theme="default"
            onClick={() => onChange((now) => now.filter((one) => one !== id))}
          >
            {t('common.remove')}
          </Button>
        </span>
      ))}
      {value.length < most && (
        <div>
          <FilePick
            name={name}
            label={busy ? t('ops.uploading') : t('ops.chooseFile')}
            accept={pictureTypes}
            loading={busy}
            onPick={(file) => void pick(file)}
          />
        </div>
      )}
      {error !== null && <ProblemPanel compact error={error} />}
    </Field>
  );
}
