import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import type { AuthorizerDetail } from '../api/types';
import { Pairs, Panel } from '../components/PageHead';
import { Time } from '../components/Time';
import { useLabels } from '../components/useLabels';
import { flags, networkLists, specialIds } from '../logic/authorizer';
import { domainKinds } from '../logic/rollout';
import { secureImage } from '../logic/text';

/** pills lead to all merchants that have the same. */
function pills(values: string[] | null, filter: string): ReactNode {
  if (!values || values.length === 0) return null;
  return (
    <span className="pills">
      {values.map((v) => (
        <Link key={v} className="pill" to={`/authorizers?${filter}=${encodeURIComponent(v)}`}>
          {v}
        </Link>
      ))}
    </span>
  );
}

function Account({ merchant }: { merchant: AuthorizerDetail }) {
  const { t, i18n } = useTranslation();
  const words = useLabels();
  const yesNo = (on: boolean) => (on ? t('merchants.yes') : t('merchants.no'));
  const categories = (merchant.categories ?? []).map((c) =>
    [c.first, c.second].filter((part) => part !== '').join(' / '),
  );
  const specials = specialIds(merchant.special).map(([name, id]) => {
    const known = ['channels', 'store', 'talent', 'supplier'].includes(name);
    return `${known ? t(`merchants.special.${name as 'channels'}`) : name} ${id}`.trim();
  });
  const business = flags(merchant.business_info).map(([name, on]) => {
    const known = ['open_pay', 'open_shake', 'open_scan', 'open_card', 'open_store'].includes(name);
    const title = known ? t(`merchants.businessName.${name as 'open_pay'}`) : name;
    return { name, on, title };
  });
  const more = flags(merchant.basic_config).map(([name, on]): [string, string] => {
    const known = ['is_phone_configured', 'is_email_configured'].includes(name);
    return [known ? t(`merchants.basicConfigName.${name as 'is_phone_configured'}`) : name, yesNo(on)];
  });
  const type = merchant.service_type;
  const typeKey = `merchants.${merchant.kind === 'official' ? 'officialType' : 'programType'}.${type}`;
  const serviceType =
    type === null || type === undefined
      ? ''
      : i18n.exists(typeKey)
        ? t(typeKey as 'merchants.programType.0')
        : String(type);
  const extras: [string, ReactNode][] = [
    [t('merchants.serviceType'), serviceType],
    [t('authorizers.alias'), merchant.alias],
    ...more,
    [t('merchants.specials'), specials.join('、')],
  ];
  return (
    <Panel
      title={t('merchants.account')}
      testId="merchant-account"
      hint={
        merchant.info_at && (
          <>
            {t('merchants.infoAt')} <Time value={merchant.info_at} />
          </>
        )
      }
    >
      <Pairs
        items={[
          ['AppID', <code key="appid">{merchant.appid}</code>],
          [t('authorizers.userName'), merchant.user_name && <code>{merchant.user_name}</code>],
          [t('authorizers.kind'), words.kind(merchant.kind)],
          [t('authorizers.principal'), merchant.principal_name],
          [t('authorizers.verify'), words.verify(merchant.verify_type)],
          [t('authorizers.register'), words.register(merchant.register_type)],
          [t('authorizers.account'), words.account(merchant.account_status)],
          [t('authorizers.signature'), merchant.signature],
          [t('authorizers.categories'), categories.join('、')],
          ...extras.filter(([, value]) => value !== '' && value !== null && value !== undefined),
        ]}
      />
      {business.length > 0 && (
        <div>
          <h3>{t('merchants.business')}</h3>
          <span className="pills">
            {business.map((b) => (
              <span key={b.name} className={b.on ? 'pill pill--on' : 'pill pill--off'}>
                {b.title} {b.on ? t('merchants.businessOn') : t('merchants.businessOff')}
              </span>
            ))}
          </span>
        </div>
      )}
      {merchant.qrcode_url && (
        <img
          className="accountcode"
          src={secureImage(merchant.qrcode_url)}
          alt={t('merchants.codeOf')}
          loading="lazy"
          referrerPolicy="no-referrer"
          onError={(e) => e.currentTarget.remove()}
        />
      )}
    </Panel>
  );
}

function Authorization({ merchant }: { merchant: AuthorizerDetail }) {
  const { t } = useTranslation();
  const left: [string, ReactNode][] = merchant.unauthorized_at
    ? [[t('merchants.withdrawnAt'), <Time key="off" value={merchant.unauthorized_at} exact="both" />]]
    : [];
  const token = merchant.token?.expires_at;
  return (
    <Panel title={t('merchants.authorization')} testId="merchant-authorization">
      <Pairs
        items={[
          [t('authorizers.authorizedAt'), <Time key="at" value={merchant.authorized_at} exact="both" />],
          ...left,
          [t('merchants.createdAt'), <Time key="since" value={merchant.created_at} exact="both" />],
          [t('common.updatedAt'), <Time key="updated" value={merchant.updated_at} exact="both" />],
          [
            t('authorizers.tokenExpires'),
            token ? (
              <span>
                {t('common.expiresAt')} <Time value={token} />
              </span>
            ) : (
              t('authorizers.tokenNone')
            ),
          ],
          [t('authorizers.bizIds'), pills(merchant.biz_ids, 'biz_id')],
          [t('authorizers.labels'), pills(merchant.labels, 'label')],
        ]}
      />
    </Panel>
  );
}

function Scopes({ merchant }: { merchant: AuthorizerDetail }) {
  const { t } = useTranslation();
  const words = useLabels();
  const scopes = merchant.func_scopes ?? [];
  const confirms = new Map((merchant.scope_confirms ?? []).map((c) => [c.func_scope, c]));
  return (
    <Panel
      title={t('authorizers.scopes')}
      hint={scopes.length > 0 && t('merchants.scopeCount', { n: scopes.length })}
      testId="merchant-scopes"
    >
      {scopes.length === 0 ? (
        <p className="faint">{t('authorizers.scopeNone')}</p>
      ) : (
        <span className="pills">
          {scopes.map((id) => {
            const c = confirms.get(id);
            const note = c?.already_confirm
              ? t('merchants.confirmDone')
              : c?.need_confirm
                ? t('merchants.confirmNeeded')
                : '';
            return (
              <span
                key={id}
                className={c?.need_confirm && !c.already_confirm ? 'pill pill--wait' : 'pill'}
                title={String(id)}
              >
                {words.scope(id)}
                {note && ` · ${note}`}
              </span>
            );
          })}
        </span>
      )}
    </Panel>
  );
}

function Network({ merchant }: { merchant: AuthorizerDetail }) {
  const { t } = useTranslation();
  const network = networkLists(merchant.network);
  const networkName = (name: string) => {
    const kind = domainKinds.find((k) => k === name);
    return kind ? t(`newRollout.domain.${kind}`) : name;
  };
  return (
    <Panel title={t('authorizers.network')}>
      {network.length === 0 ? (
        <p className="faint">{t('authorizers.networkNone')}</p>
      ) : (
        <Pairs
          items={network.map(([name, domains]) => [networkName(name), <code key={name}>{domains.join('\n')}</code>])}
        />
      )}
    </Panel>
  );
}

/** MerchantOverview is all that WeChat and we know of a merchant. */
export function MerchantOverview({ merchant }: { merchant: AuthorizerDetail }) {
  return (
    <div className="columns">
      <div className="stack">
        <Account merchant={merchant} />
        {merchant.kind === 'miniprogram' && <Network merchant={merchant} />}
      </div>
      <div className="stack">
        <Authorization merchant={merchant} />
        <Scopes merchant={merchant} />
      </div>
    </div>
  );
}
