import { useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api, call } from '../../api/client';
import { keys } from '../../api/queries';
import type { PreflightItem } from '../../api/types';
import { Button } from '../../components/Button';
import { useConfirm } from '../../components/Confirm';
import { useCan } from '../../components/session';
import { toast } from '../../components/toast';
import { lackingDomains, lackingKeys } from '../../logic/preflight';

interface Props {
  items: readonly PreflightItem[];
  /** onAgain is called once something was done that the check should see. */
  onAgain: () => void;
  onKeys: (keys: string[]) => void;
}

/** Remedies offers to do at once what can be done from here for all merchants. */
export function Remedies({ items, onAgain, onKeys }: Props) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  const privacy = lackingKeys(items);
  if (!may) return null;

  function add(kind: 'server' | 'webview', domains: string[]) {
    confirm({
      title: t(`wizard.addDomainsConfirm.${kind}`),
      hint: (
        <>
          <p className="pills">
            {domains.map((d) => (
              <code key={d} className="pill">
                {d}
              </code>
            ))}
          </p>
          <p>{t('wizard.addDomainsHint')}</p>
        </>
      ),
      ok: t('wizard.addDomains', { n: domains.length }),
      run: async () => {
        const answer = await call(api.POST('/component/domains/add', { body: { kind, domains } }));
        await client.invalidateQueries({ queryKey: keys.domains });
        const refused = answer.invalid?.[kind] ?? [];
        if (refused.length > 0) toast.error(t('wizard.domainsRefused', { names: refused.join(', ') }));
        else toast.success(t('wizard.domainsAdded'));
        onAgain();
      },
    });
  }

  return (
    <>
      {(['server', 'webview'] as const).map((kind) => {
        const domains = lackingDomains(items, kind);
        return (
          domains.length > 0 && (
            <div key={kind} className="banner remedy" data-testid={`lacking-${kind}`}>
              <span>
                {t('wizard.domainsMissing')}{' '}
                {domains.map((d) => (
                  <code key={d}>{d} </code>
                ))}
              </span>
              <Button size="small" onClick={() => add(kind, domains)} data-testid={`add-domains-${kind}`}>
                {t('wizard.addDomains', { n: domains.length })}
              </Button>
            </div>
          )
        );
      })}
      {privacy.length > 0 && (
        <div className="banner remedy" data-testid="lacking-privacy">
          <span>
            {t('wizard.keysMissing')}{' '}
            {privacy.map((k) => (
              <code key={k}>{k} </code>
            ))}
          </span>
          <Button size="small" onClick={() => onKeys(privacy)} data-testid="add-keys">
            {t('wizard.addKeys', { n: privacy.length })}
          </Button>
        </div>
      )}
    </>
  );
}
