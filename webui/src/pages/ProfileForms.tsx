import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Input } from 'tdesign-react';
import { api, call } from '../api/client';
import { sendAvatar } from '../api/operations';
import { keys } from '../api/queries';
import type { BasicInfo, Change } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { Field } from '../components/Field';
import { FilePick } from '../components/FilePick';
import { ProblemPanel } from '../components/ProblemPanel';
import { ProofPick } from '../components/ProofPick';
import { TextArea } from '../components/TextArea';
import { toast } from '../components/toast';
import { textWidth } from '../logic/operations';
import {
  centreSquare,
  longestPicture,
  type PictureTrouble,
  pictureTrouble,
  pictureTypes,
  sizeOf,
} from '../logic/picture';

interface Props {
  appid: string;
  info: BasicInfo;
  onDone: () => void;
}

/** useAsked reloads the merchant after something was asked of WeChat, and says whether it is in force already. */
export function useAsked(appid: string) {
  const { t } = useTranslation();
  const client = useQueryClient();
  return async (change?: Change) => {
    await client.invalidateQueries({ queryKey: keys.authorizer(appid) });
    if (change?.state === 'reviewing') toast.success(t('ops.submitted'));
    else toast.success(t(change?.state === 'effective' ? 'ops.effective' : 'ops.changed'));
  };
}

type Check = { name: string; needsProof: boolean; wording: string };

export function NicknameForm({ appid, info, onDone }: Props) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const asked = useAsked(appid);
  const [name, setName] = useState('');
  const [check, setCheck] = useState<Check | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [license, setLicense] = useState<string[]>([]);
  const [idCard, setIdCard] = useState<string[]>([]);
  const [other, setOther] = useState<string[]>([]);
  const wanted = name.trim();
  const width = textWidth(wanted);
  const wrong = wanted !== '' && (width < 4 || width > 30);
  const ready = wanted !== '' && !wrong;
  const known = check?.name === wanted ? check : null;
  const params = { path: { appid } };

  async function ask() {
    setBusy(true);
    setError(null);
    try {
      const answer = await call(
        api.POST('/authorizers/{appid}/nickname/check', { params, body: { nick_name: wanted } }),
      );
      setCheck({ name: wanted, needsProof: answer.needs_proof, wording: answer.wording });
    } catch (thrown) {
      setCheck(null);
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }

  function submit() {
    const { used, limit } = info.nick_name_quota;
    confirm({
      title: t('ops.nameConfirm', { name: wanted }),
      hint: t('ops.nameConfirmHint', { used, limit }),
      ok: t('ops.submit'),
      run: async () => {
        const change = await call(
          api.POST('/authorizers/{appid}/nickname', {
            params,
            body: { nick_name: wanted, license: license[0], id_card: idCard[0], other_materials: other },
          }),
        );
        onDone();
        await asked(change);
      },
    });
  }

  return (
    <form
      className="form"
      data-testid="nickname-form"
      onSubmit={(e) => {
        e.preventDefault();
        if (ready) submit();
      }}
    >
      <Field
        name="nickname"
        label={t('ops.nickName')}
        hint={t('ops.nickNameHint')}
        error={wrong ? t('ops.nickNameWrong') : undefined}
      >
        <span className="inline">
          <Input value={name} onChange={setName} placeholder={info.nick_name} autofocus />
          <Button
            variant="outline"
            loading={busy}
            disabled={!ready}
            onClick={() => void ask()}
            data-testid="check-name"
          >
            {t('ops.checkName')}
          </Button>
        </span>
      </Field>
      {error !== null && <ProblemPanel error={error} />}
      {known && !known.needsProof && (
        <p className="note--good" role="status" data-testid="name-free">
          {t('ops.nameFree')}
        </p>
      )}
      {known?.needsProof && (
        <>
          <p className="banner" role="status" data-testid="name-proof">
            {t('ops.nameProof', { wording: known.wording })}
          </p>
          <ProofPick
            appid={appid}
            name="license"
            label={t('ops.license')}
            value={license}
            onChange={setLicense}
            most={1}
          />
          <ProofPick
            appid={appid}
            name="id-card"
            label={t('ops.idCard')}
            value={idCard}
            onChange={setIdCard}
            most={1}
          />
          <ProofPick
            appid={appid}
            name="other-proof"
            label={t('ops.otherProof')}
            value={other}
            onChange={setOther}
            most={5}
          />
        </>
      )}
      <div>
        <Button type="submit" disabled={!ready} data-testid="submit-name">
          {t('ops.submit')}
        </Button>
      </div>
    </form>
  );
}

const longestText = 300;

export function SignatureForm({ appid, info, onDone }: Props) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const asked = useAsked(appid);
  const [text, setText] = useState(info.signature);
  const wanted = text.trim();
  const length = [...wanted].length;
  const wrong = length > longestText; // how long it may be besides is WeChat's to say
  const ready = !wrong && wanted !== '' && wanted !== info.signature;
  const { used, limit } = info.signature_quota;

  function submit() {
    confirm({
      title: t('ops.signatureConfirm'),
      hint: (
        <>
          <p>{wanted}</p>
          {limit > 0 && <p>{t('ops.quota', { used, limit })}</p>}
        </>
      ),
      ok: t('ops.submit'),
      run: async () => {
        const change = await call(
          api.POST('/authorizers/{appid}/signature', { params: { path: { appid } }, body: { signature: wanted } }),
        );
        onDone();
        await asked(change);
      },
    });
  }

  return (
    <form
      className="form"
      data-testid="signature-form"
      onSubmit={(e) => {
        e.preventDefault();
        if (ready) submit();
      }}
    >
      <Field
        name="signature"
        label={t('ops.signature')}
        hint={t('ops.signatureHint')}
        error={wrong ? t('ops.signatureWrong') : undefined}
        aside={length}
      >
        <TextArea rows={4} value={text} onChange={setText} />
      </Field>
      <div>
        <Button type="submit" disabled={!ready} data-testid="submit-signature">
          {t('ops.submit')}
        </Button>
      </div>
    </form>
  );
}

interface Chosen {
  file: File;
  url: string;
  width: number;
  height: number;
}

export function AvatarForm({ appid, info, onDone }: Props) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const asked = useAsked(appid);
  const [chosen, setChosen] = useState<Chosen | null>(null);
  const [trouble, setTrouble] = useState<PictureTrouble | 'broken' | null>(null);
  const { used, limit } = info.head_img_quota;

  useEffect(() => () => void (chosen && URL.revokeObjectURL(chosen.url)), [chosen]);

  async function pick(file: File) {
    const found = pictureTrouble(file, pictureTypes, longestPicture);
    setTrouble(found);
    if (found) return;
    const url = URL.createObjectURL(file);
    try {
      setChosen({ file, url, ...(await sizeOf(url)) });
    } catch {
      URL.revokeObjectURL(url);
      setTrouble('broken');
    }
  }

  function submit() {
    if (!chosen) return;
    confirm({
      title: t('ops.avatarConfirm'),
      hint: limit > 0 ? t('ops.quota', { used, limit }) : undefined,
      ok: t('ops.submit'),
      run: async () => {
        await sendAvatar(appid, chosen.file, centreSquare(chosen.width, chosen.height));
        onDone();
        await asked();
      },
    });
  }

  return (
    <div className="form" data-testid="avatar-form">
      <Field
        name="avatar"
        group
        label={t('ops.headImg')}
        hint={t('ops.avatarHint')}
        error={trouble ? t(`ops.pictureTrouble.${trouble}`) : undefined}
      >
        {chosen && (
          <img className="avatarpreview" src={chosen.url} alt={t('ops.avatarAlt')} data-testid="avatar-preview" />
        )}
        <div>
          <FilePick
            name="avatar"
            label={t('ops.chooseFile')}
            accept={pictureTypes}
            onPick={(file) => void pick(file)}
          />
        </div>
      </Field>
      <div>
        <Button disabled={!chosen} onClick={submit} data-testid="submit-avatar">
          {t('ops.submit')}
        </Button>
      </div>
    </div>
  );
}
