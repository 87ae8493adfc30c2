import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { Input } from 'tdesign-react';
import { Button } from '../../components/Button';
import { Combo } from '../../components/Combo';
import { Named } from '../../components/Named';
import { ProblemPanel } from '../../components/ProblemPanel';
import { useCan } from '../../components/session';
import { toast } from '../../components/toast';

interface Props {
  name: string;
  profiles: readonly { id: string; name: string }[];
  error: unknown;
  onUse: (id: string) => void;
  /** onSave keeps what is filled in under a name; undefined while something is wrong with it. */
  onSave?: (name: string) => Promise<unknown>;
}

/** ProfileBar fills a part of the form from saved settings, and saves it for next time. */
export function ProfileBar({ name, profiles, error, onUse, onSave }: Props) {
  const { t } = useTranslation();
  const may = useCan('operator');
  const [naming, setNaming] = useState<string | null>(null); // null: not being saved
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<unknown>(null);
  const wanted = naming?.trim() ?? '';

  async function save() {
    if (!onSave || wanted === '') return;
    setBusy(true);
    setFailed(null);
    try {
      await onSave(wanted);
      toast.success(t('wizard.profileSaved', { name: wanted }));
      setNaming(null);
    } catch (thrown) {
      setFailed(thrown);
    } finally {
      setBusy(false);
    }
  }

  return (
    <div className="profilebar" data-testid={`profiles-${name}`}>
      {error !== null && <ProblemPanel compact error={error} />}
      <div className="profilebar__row">
        {profiles.length > 0 ? (
          <Combo
            name={`profile-${name}`}
            label={t('wizard.chooseProfile')}
            placeholder={t('wizard.chooseProfile')}
            value=""
            text=""
            exact
            options={profiles.map((p) => ({ value: p.id, title: p.name }))}
            onPick={(id) => {
              const found = profiles.find((p) => p.id === id);
              if (!found) return;
              onUse(id);
              toast.success(t('wizard.profileUsed', { name: found.name }));
            }}
          />
        ) : (
          <span className="muted">{t('wizard.noProfiles')}</span>
        )}
        {may && naming === null && (
          <Button
            size="small"
            variant="outline"
            theme="default"
            disabled={!onSave}
            onClick={() => setNaming('')}
            data-testid={`save-profile-${name}`}
          >
            {t('wizard.saveProfile')}
          </Button>
        )}
        <Link to="/profiles" className="plain">
          {t('wizard.manageProfiles')}
        </Link>
      </div>
      {naming !== null && (
        <form
          className="profilebar__row"
          onSubmit={(e) => {
            e.preventDefault();
            void save();
          }}
        >
          <Named name={t('wizard.profileName')} testId={`field-profile-name-${name}`}>
            <Input value={naming} onChange={setNaming} placeholder={t('wizard.profileName')} autofocus maxlength={64} />
          </Named>
          <Button
            type="submit"
            size="small"
            loading={busy}
            disabled={wanted === ''}
            data-testid={`keep-profile-${name}`}
          >
            {t('common.save')}
          </Button>
          <Button size="small" variant="text" theme="default" onClick={() => setNaming(null)}>
            {t('common.cancel')}
          </Button>
        </form>
      )}
      {failed !== null && <ProblemPanel compact error={failed} />}
    </div>
  );
}
