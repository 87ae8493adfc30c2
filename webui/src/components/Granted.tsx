import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { AuthorizerDetail } from '../api/types';
import { lacking, type Operation } from '../logic/operations';
import { ButtonLink } from './Button';
import { useCan } from './session';
import { useLabels } from './useLabels';

interface Props {
  merchant: AuthorizerDetail;
  operation: Operation;
  children: ReactNode;
}

/** Granted shows what is inside where the merchant has granted a permission set for it, else says what is missing. */
export function Granted({ merchant, operation, children }: Props) {
  const { t } = useTranslation();
  const labels = useLabels();
  const may = useCan('operator');
  const sets = lacking(merchant.func_scopes, operation);
  if (sets.length === 0) return <>{children}</>;
  const names = sets.map((id) => `${labels.scope(id)} (${id})`).join(t('ops.or'));
  return (
    <div className="lacking" data-testid={`lacking-${operation}`}>
      <p>{t(sets.length > 1 ? 'ops.lackingOne' : 'ops.lacking', { sets: names })}</p>
      <p className="faint">{t('ops.lackingHint')}</p>
      {may && (
        <div>
          <ButtonLink to="/links?new=1" variant="outline" small>
            {t('ops.newLink')}
          </ButtonLink>
        </div>
      )}
    </div>
  );
}

/** Withdrawn stands for everything that only an authorization makes possible. */
export function Withdrawn() {
  const { t } = useTranslation();
  const may = useCan('operator');
  return (
    <section className="panel" data-testid="withdrawn">
      <div className="lacking">
        <p>{t('ops.withdrawn')}</p>
        {may && (
          <div>
            <ButtonLink to="/links?new=1" variant="outline" small>
              {t('ops.newLink')}
            </ButtonLink>
          </div>
        )}
      </div>
    </section>
  );
}
